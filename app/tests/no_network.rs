//! Nothing of this project talks to the internet: no crate that could is in the tree, and the program
//! draws on a machine without any network.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

/// Crates that fetch things, or only make sense for those that do.
const TALKERS: [&str; 20] = [
    "attohttpc",
    "curl",
    "ehttp",
    "h2",
    "hf-hub",
    "http",
    "hyper",
    "isahc",
    "minreq",
    "native-tls",
    "openssl",
    "quinn",
    "reqwest",
    "rustls",
    "sentry",
    "surf",
    "tungstenite",
    "ureq",
    "websocket",
    "opentelemetry",
];

#[test]
fn no_crate_that_speaks_http_is_in_the_tree() {
    let lock = std::fs::read_to_string(common::root().join("Cargo.lock")).unwrap();
    let names = lock.lines().filter_map(|line| {
        let name = line.strip_prefix("name = \"")?;
        name.strip_suffix('"')
    });
    let names: Vec<&str> = names.collect();
    assert!(names.contains(&"mmface"), "the list is read");
    let found: Vec<&&str> = names.iter().filter(|name| TALKERS.contains(name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// A namespace without any interface, not even the loopback: any attempt to connect fails. Where
/// the system has none the test passes, unless `MMFACE_REQUIRE_NO_NETWORK` is set, as `.ci/run` does.
#[cfg(target_os = "linux")]
#[test]
fn a_portrait_is_drawn_without_any_network() {
    let apart = |program: &std::ffi::OsStr| {
        let mut command = std::process::Command::new("unshare");
        command
            .args(["--map-root-user", "--net", "--"])
            .arg(program);
        command
    };
    let works = apart("true".as_ref()).output();
    if !works.is_ok_and(|output| output.status.success()) {
        assert!(
            std::env::var_os("MMFACE_REQUIRE_NO_NETWORK").is_none(),
            "`unshare` is missing, or this system lets nobody leave the network"
        );
        eprintln!("skipped: this system lets nobody leave the network");
        return;
    }
    let home = common::Home::new();
    let whole = home.command(&["generate", "--steps", "1", "--out", "o.png"]);
    let mut command = apart(whole.get_program());
    command.args(whole.get_args()).current_dir(home.work());
    for (name, value) in whole.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(home.path("o.png").is_file());
}
