//! Each step × each way to fail.

use std::fmt::Write as _;

use portreeve_tenant::{Fault, RetryAfter, Step};

use crate::{advice, stand};

/// All that a server can do wrong in one answer.
fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("no answer", Fault::Timeout),
        ("the connection breaks", Fault::Dropped),
        (
            "429",
            Fault::TooManyRequests {
                retry_after: RetryAfter::Seconds(2.0),
            },
        ),
        ("500", Fault::InternalError),
        (
            "503",
            Fault::Unavailable {
                retry_after: RetryAfter::Absent,
            },
        ),
        ("401", Fault::Unauthorized),
        ("the secret has expired", Fault::ExpiredSecret),
        ("no permission", Fault::MissingPermission),
        ("half a body", Fault::Malformed),
        ("the wrong type", Fault::WrongContentType),
        ("the connection breaks in the body", Fault::Truncated),
        (
            "a redirect",
            Fault::Redirect {
                location: "https://example.com/".to_owned(),
            },
        ),
    ]
}

async fn check(name: &str, step: Step) -> anyhow::Result<()> {
    let stand = stand().await?;
    let mut told = String::new();
    for (fault, planned) in faults() {
        stand.tenant.set_fault(step, planned);
        writeln!(told, "# {fault}\n{}", advice(&stand).await?)?;
        stand.tenant.clear_faults();
    }
    writeln!(told, "# none\n{}", advice(&stand).await?)?;
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, told);
    });
    stand.gateway.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_graph() -> anyhow::Result<()> {
    check("graph-token", Step::GraphToken).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_intune() -> anyhow::Result<()> {
    check("intune-token", Step::IntuneToken).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tokens() -> anyhow::Result<()> {
    check("token", Step::Token).await
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery() -> anyhow::Result<()> {
    check("discovery", Step::Discovery).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_devices() -> anyhow::Result<()> {
    check("device-list", Step::DeviceList).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service() -> anyhow::Result<()> {
    check("server-info", Step::ServerInfo).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up() -> anyhow::Result<()> {
    check("look-up", Step::Compliance).await
}
