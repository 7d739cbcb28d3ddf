use insta::assert_snapshot;

use crate::support::{portreeve, run};

fn help(arguments: &[&str]) -> String {
    let said = run(portreeve(arguments).arg("--help").env("COLUMNS", "100"));
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    // Clap ends lines with spaces where a text is empty.
    let lines: Vec<&str> = said.stdout.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn help_reads_well() {
    assert_snapshot!(help(&[]), @r"
    Decides who may use a network port.

    Portreeve answers the questions of network access control products (NAC) from what device management
    systems know, under a policy that is a WebAssembly component.

    Usage: portreeve [OPTIONS] <COMMAND>

    Commands:
      serve           Run the gateway
      reload          Let the gateway that runs read its configuration again
      client          Add, list, rotate and revoke clients
      check-config    Check the configuration without touching the network
      lookup          Ask about one endpoint and show the verdict
      explain         Show why an endpoint gets the answer it gets
      device          Search, list and export what is known about devices
      connector       Work with connectors
      store           Look after what is kept over restarts
      decisions       Show what was decided, newest last
      list            Look at the lists that policies ask about, and change them
      policy          Look at what decides, and try out other policies
      pxgrid          Decide who may be a node of pxGrid
      action          Act on devices: sync, lock, retire, wipe, notify and more
      quarantine      Hold endpoints back, whatever their management system says
      session         Look at the sessions of endpoints
      support-bundle  Collect what somebody who is to help needs to know, without secrets
      scep-verifier   Ask whether a certificate may be issued, for a SCEP server
      scep-notify     Tell which certificates a SCEP server has issued
      plugin          Work with plugin files
      certificate     Make, show and export certificates, and compare them with Entra
      trust           Show whom the gateway trusts, and trust others
      secret          Seal secrets, so that they may stand in the configuration
      completions     Print a script that completes commands in your shell

    Options:
          --log <LEVEL>
              What to log to stderr, e.g. `debug` or `info,portreeve_gateway=trace`; overrides
              `PORTREEVE_LOG` and the configuration

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Read `portreeve COMMAND --help` for examples and exit codes.
    ");
    assert_snapshot!(help(&["serve"]), @r"
    Run the gateway

    Usage: portreeve serve [OPTIONS]

    Options:
      -c, --config <PATH>  Configuration file; else `PORTREEVE_CONFIG` names it, else it is
                           `/etc/portreeve/portreeve.toml`
          --log <LEVEL>    What to log to stderr, e.g. `debug` or `info,portreeve_gateway=trace`;
                           overrides `PORTREEVE_LOG` and the configuration
      -h, --help           Print help
      -V, --version        Print version

    For each listener one line `ready URL` goes to stdout once it serves. SIGTERM or SIGINT ends it
    after the answers that are under way, a second one at once.

    Examples:
      portreeve serve
      portreeve serve --config ./portreeve.toml --log debug

    Exit codes: 0 ended by a signal, 1 error, 2 wrong usage
    ");
    assert_snapshot!(help(&["check-config"]), @r"
    Check the configuration without touching the network

    Usage: portreeve check-config [OPTIONS]

    Options:
      -c, --config <PATH>  Configuration file; else `PORTREEVE_CONFIG` names it, else it is
                           `/etc/portreeve/portreeve.toml`
          --json           Print JSON
          --log <LEVEL>    What to log to stderr, e.g. `debug` or `info,portreeve_gateway=trace`;
                           overrides `PORTREEVE_LOG` and the configuration
      -h, --help           Print help
      -V, --version        Print version

    Reads the configuration, its certificates, keys and secrets, loads every plugin and checks its
    settings. Prints what is in force, with all defaults and without secrets.

    Examples:
      portreeve check-config
      portreeve check-config --config ./portreeve.toml --json | jq .connectors

    Exit codes: 0 usable, 1 not usable, 2 wrong usage
    ");
    assert_snapshot!(help(&["lookup"]), @r"
    Ask about one endpoint and show the verdict

    Usage: portreeve lookup [OPTIONS] <IDENTIFIER>...

    Arguments:
      <IDENTIFIER>...  What names the endpoint: a MAC address, a GUID or `kind:value`, e.g.
                       `serial:C02XK0AAJGH5`; several identifiers name the same endpoint

    Options:
      -c, --config <PATH>      Configuration file; else `PORTREEVE_CONFIG` names it, else it is
                               `/etc/portreeve/portreeve.toml`
          --json               Print JSON
          --timeout <SECONDS>  How long to wait for the answer [default: 10]
          --log <LEVEL>        What to log to stderr, e.g. `debug` or `info,portreeve_gateway=trace`;
                               overrides `PORTREEVE_LOG` and the configuration
      -h, --help               Print help
      -V, --version            Print version

    Asking a running gateway:
          --url <URL>             Ask the gateway at this address, not the configuration
          --ca <PATH>             Trust the certificates in this file, not those of the system
          --user <NAME>           User name; the password is in `--password-file` or in
                                  `PORTREEVE_PASSWORD`
          --password-file <PATH>  File with the password
          --token-file <PATH>     File with a bearer key; else `PORTREEVE_TOKEN` holds the key itself
          --identity <PATH>       Client certificate and key, one PEM file

    Without `--url` the connectors and policies of the configuration run in this process, with an
    empty cache. With `--url` a running gateway is asked.

    Examples:
      portreeve lookup 00:50:56:a4:89:5a
      portreeve lookup serial:C02XK0AAJGH5 user:ada@example.com --json
      portreeve lookup 3eeb9e62-cec9-4dd8-9dd6-74903695a62b \
          --url https://portreeve.example.com:8443 --user helpdesk --password-file ~/.portreeve

    Exit codes: 0 permit, 1 error, 2 wrong usage, 3 restrict, 4 deny, 5 cannot tell
    ");
    assert_snapshot!(help(&["connector", "check"]), @r"
    Talk to a connector's source and report what works and what does not

    Usage: portreeve connector check [OPTIONS] <NAME>

    Arguments:
      <NAME>  Name of the connector in the configuration

    Options:
      -c, --config <PATH>      Configuration file; else `PORTREEVE_CONFIG` names it, else it is
                               `/etc/portreeve/portreeve.toml`
          --json               Print JSON
          --timeout <SECONDS>  How long the check may take [default: 60]
          --log <LEVEL>        What to log to stderr, e.g. `debug` or `info,portreeve_gateway=trace`;
                               overrides `PORTREEVE_LOG` and the configuration
      -h, --help               Print help
      -V, --version            Print version

    Examples:
      portreeve connector check contoso
      portreeve connector check contoso --config ./portreeve.toml --json

    Exit codes: 0 passed or degraded, 1 failed, 2 wrong usage
    ");
    assert_snapshot!(help(&["plugin", "inspect"]), @r"
    Show what a plugin is, what it wants, and how to configure it

    Usage: portreeve plugin inspect [OPTIONS] <FILE>

    Arguments:
      <FILE>  The component, a `.wasm` file

    Options:
          --json         Print JSON
          --log <LEVEL>  What to log to stderr, e.g. `debug` or `info,portreeve_gateway=trace`;
                         overrides `PORTREEVE_LOG` and the configuration
      -h, --help         Print help
      -V, --version      Print version

    Examples:
      portreeve plugin inspect plugins/intune.wasm
      portreeve plugin inspect plugins/intune.wasm --json | jq .imports

    Exit codes: 0 usable, 1 not usable, 2 wrong usage
    ");
    assert_snapshot!(help(&["completions"]), @r"
    Print a script that completes commands in your shell

    Usage: portreeve completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  Your shell [possible values: bash, elvish, fish, powershell, zsh]

    Options:
          --log <LEVEL>  What to log to stderr, e.g. `debug` or `info,portreeve_gateway=trace`;
                         overrides `PORTREEVE_LOG` and the configuration
      -h, --help         Print help
      -V, --version      Print version

    Examples:
      portreeve completions bash > ~/.local/share/bash-completion/completions/portreeve
      portreeve completions zsh > ~/.zfunc/_portreeve
      portreeve completions fish > ~/.config/fish/completions/portreeve.fish
    ");
}

#[test]
fn wrong_usage_ends_with_two() {
    for arguments in [
        &["serves"][..],
        &["lookup"],
        &["lookup", "00:50:56:a4:89"],
        &["lookup", "00:50:56:a4:89:5a", "--user", "me"],
        &["plugin"],
        &[],
    ] {
        let said = run(&mut portreeve(arguments));
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments:?}");
    }
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = run(&mut portreeve(&["completions", shell]));
        assert_eq!(said.code, 0, "{shell}");
        assert!(said.stdout.contains("check-config"), "{shell}");
    }
}

#[test]
fn no_colour_but_on_a_terminal() {
    let said = run(&mut portreeve(&["serve", "--config", "/nowhere.toml"]));
    assert_eq!(said.code, 1);
    assert_snapshot!(said.stderr, @r"
    error: cannot read `/nowhere.toml`: No such file or directory (os error 2)
    hint: name the configuration file with `--config PATH`
    ");
}
