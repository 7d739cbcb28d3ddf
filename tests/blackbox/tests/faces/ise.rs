//! The MDM API of Cisco ISE in its versions 2 and 3.

use anyhow::bail;

use crate::asker::{Asker, Named, Said, text};
use crate::{PASSWORD, USER};

pub(crate) async fn version_2(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    ask(asker, "v2", "macaddress", &named.digits()).await
}

pub(crate) async fn version_3(asker: &Asker, named: &Named) -> anyhow::Result<Said> {
    ask(asker, "v3", "macaddress", &named.digits()).await
}

async fn ask(asker: &Asker, version: &str, criterion: &str, value: &str) -> anyhow::Result<Said> {
    let path = format!(
        "/ciscoise/mdmapi/{version}/devices/?paging=0&querycriteria={criterion}\
         &value={value}&filter=all"
    );
    // ISE waits for so short a time that a look-up may end behind it; then it
    // asks again.
    let mut attempts = 0;
    loop {
        attempts += 1;
        let request = asker.get(&path).basic_auth(USER, Some(PASSWORD));
        let (status, xml) = text(request).await?;
        let says = |element: &str| xml.contains(element);
        return Ok(match status {
            200 if !says("<register_status>") => Said::Unknown,
            200 if says("<status>true</status>") => Said::Permit,
            200 if says("<status>false</status>") => Said::NotPermit,
            503 if attempts < 3 => continue,
            503 => Said::CannotTell,
            _ => bail!("{status}: {xml}"),
        });
    }
}
