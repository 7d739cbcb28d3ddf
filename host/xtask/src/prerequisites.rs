//! What tests and benches need beside the Rust toolchain: Debian packages for
//! the real FreeRADIUS, a real SCEP server and for measuring, and the third-party clients of the
//! simulated tenant.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::step::{on_path, run, run_command, say, step};

/// A Debian package, and files of which one tells that it is there.
type Package = (&'static str, &'static [&'static str]);

/// What tests need.
const TESTS: &[Package] = &[
    ("freeradius", &["/usr/sbin/freeradius"]),
    ("freeradius-rest", &["/usr/lib/freeradius/rlm_rest.so"]),
    ("freeradius-utils", &["/usr/bin/radclient"]),
    (
        "eapoltest",
        &["/usr/bin/eapol_test", "/usr/sbin/eapol_test"],
    ),
    ("openssl", &["/usr/bin/openssl"]),
    ("scep", &["/usr/bin/scepserver"]),
    ("python3-venv", &["/usr/share/doc/python3-venv"]),
];

/// What benches need.
pub(crate) const BENCHES: &[Package] = &[
    ("openssl", &["/usr/bin/openssl"]),
    ("wrk", &["/usr/bin/wrk"]),
    ("nginx-light", &["/usr/sbin/nginx"]),
    ("valgrind", &["/usr/bin/valgrind"]),
];

/// What counting instructions needs.
pub(crate) const INSTRUCTIONS: &[Package] = &[("valgrind", &["/usr/bin/valgrind"])];

/// Installs everything that tests need.
pub(crate) fn of_tests(root: &Path) -> anyhow::Result<()> {
    step("Debian packages", || debian_packages(root, TESTS))?;
    step("third-party clients", || third_party_clients(root))
}

/// Installs the Debian packages that are missing.
pub(crate) fn debian_packages(root: &Path, packages: &[Package]) -> anyhow::Result<()> {
    let present = |files: &[&str]| files.iter().any(|file| Path::new(file).exists());
    let mut missing: Vec<&str> = packages
        .iter()
        .filter(|(_, files)| !present(files))
        .map(|(package, _)| *package)
        .collect();
    // A Node.js from elsewhere is as good as Debian's.
    for (program, package) in [("node", "nodejs"), ("npm", "npm"), ("python3", "python3")] {
        if !on_path(program) {
            missing.push(package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    let hint = format!("hint: as root, run `apt-get install --no-install-recommends {wanted}`");
    ensure!(
        on_path("apt-get"),
        "missing programs of {wanted}, and no apt-get; {hint}"
    );
    say(&format!("   installing {wanted}"));
    let apt = |arguments: &[&str]| {
        let mut command = if is_root() {
            Command::new("apt-get")
        } else {
            let mut sudo = Command::new("sudo");
            sudo.args(["-n", "apt-get"]);
            sudo
        };
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            // A server that is installed for a bench shall not start.
            .env("RUNLEVEL", "1")
            .current_dir(root);
        run_command(&mut command).with_context(|| hint.clone())
    };
    apt(&["update", "-q"])?;
    let mut install = vec!["install", "-y", "-q", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install)
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs what we did not write: msal, msgraph-sdk, two clients of pxGrid and schemathesis from
/// `PyPI`, `@azure/msal-node` and oidc-provider from npm. Their versions are pinned; what is
/// there already is kept until a pin changes.
fn third_party_clients(root: &Path) -> anyhow::Result<()> {
    let clients = root.join("tests/tenant/clients");
    let folder = root.join("target/clients");
    fs::create_dir_all(&folder)?;
    python_packages(root, &clients.join("requirements.txt"), "venv")?;
    let pxgrid = root.join("tests/blackbox/pxgrid/requirements.txt");
    python_packages(root, &pxgrid, "pxgrid")?;
    let schema = root.join("tests/blackbox/schema/requirements.txt");
    python_packages(root, &schema, "schemathesis")?;
    node_modules(&clients, &folder.join("node.installed"))?;
    let provider = root.join("tests/blackbox/oidc");
    node_modules(&provider, &folder.join("oidc.installed"))
}

/// Installs the pinned packages of npm that `folder` names.
fn node_modules(folder: &Path, stamp: &Path) -> anyhow::Result<()> {
    let lock = folder.join("package-lock.json");
    if !folder.join("node_modules").exists() {
        let _ = fs::remove_file(stamp);
    }
    when_changed(&lock, stamp, || {
        run(folder, "npm", ["ci", "--no-audit", "--no-fund", "--silent"])
    })
}

/// Installs pinned packages of Python into `target/clients/NAME`.
fn python_packages(root: &Path, requirements: &Path, name: &str) -> anyhow::Result<()> {
    let folder = root.join("target/clients");
    let environment = folder.join(name);
    let stamp = folder.join(format!("{name}.installed"));
    when_changed(requirements, &stamp, || {
        if !environment.join("bin/python").exists() {
            run(
                root,
                "python3",
                ["-m".as_ref(), "venv".as_ref(), environment.as_os_str()],
            )?;
        }
        let mut command = Command::new(environment.join("bin/pip"));
        command.args(["install", "-q", "-r"]).arg(requirements);
        run_command(&mut command)
    })
}

/// Does the work unless it was done for the same content of `file`.
fn when_changed(
    file: &Path,
    stamp: &Path,
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let wanted = fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    if fs::read(stamp).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    work()?;
    fs::write(stamp, wanted)?;
    Ok(())
}
