use proptest::prelude::*;

use super::read::FrameError;
use super::*;

/// Command, headers and body.
type Parts<'a> = (Command, &'a [(&'a str, &'a str)], &'a [u8]);

#[track_caller]
fn check(message: &[u8], expected: Result<Parts<'_>, FrameError>) {
    let shown = String::from_utf8_lossy(message);
    let shown = shown.get(..100).unwrap_or(&shown);
    let frame = read(message).map(|frame| frame.unwrap());
    match (frame, expected) {
        (Ok(frame), Ok((command, headers, body))) => {
            assert_eq!(frame.command, command, "{shown:?}");
            let found: Vec<(&str, &str)> = frame
                .headers
                .iter()
                .map(|(name, value)| (&**name, &**value))
                .collect();
            assert_eq!(found, headers, "{shown:?}");
            assert_eq!(frame.body, body, "{shown:?}");
        }
        (Err(found), Err(expected)) => assert_eq!(found, expected, "{shown:?}"),
        (found, _) => panic!("{shown:?}: {found:?}"),
    }
}

#[test]
fn frames_of_real_clients() {
    check(
        b"CONNECT\naccept-version:1.2\nhost:portreeve\n\n\0",
        Ok((
            Command::Connect,
            &[("accept-version", "1.2"), ("host", "portreeve")],
            b"",
        )),
    );
    check(
        b"SUBSCRIBE\ndestination:/topic/com.cisco.ise.session\nid:my-id\n\n\0",
        Ok((
            Command::Subscribe,
            &[
                ("destination", "/topic/com.cisco.ise.session"),
                ("id", "my-id"),
            ],
            b"",
        )),
    );
    check(
        b"SEND\ndestination:/topic/x\ncontent-length:7\n\n{\"a\":1}\0",
        Ok((
            Command::Send,
            &[("destination", "/topic/x"), ("content-length", "7")],
            b"{\"a\":1}",
        )),
    );
    check(
        b"DISCONNECT\nreceipt:123\n\n\0",
        Ok((Command::Disconnect, &[("receipt", "123")], b"")),
    );
}

#[test]
fn ends_of_lines_and_of_frames() {
    let disconnect = Ok((Command::Disconnect, &[("receipt", "1")][..], &b""[..]));
    check(b"\n\r\nDISCONNECT\nreceipt:1\n\n\0", disconnect.clone());
    check(b"DISCONNECT\r\nreceipt:1\r\n\r\n\0", disconnect.clone());
    check(b"DISCONNECT\nreceipt:1\n\n\0\n\r\n", disconnect);
    check(
        b"DISCONNECT\nreceipt:1\n\n\0DISCONNECT\n\n\0",
        Err(FrameError::MoreThanOne),
    );
    check(b"DISCONNECT\n\n\0\0", Err(FrameError::MoreThanOne));
    check(b"DISCONNECT\n\n", Err(FrameError::NoEnd));
    check(b"DISCONNECT\n\nbody", Err(FrameError::NoEnd));
    check(b"DISCONNECT\n", Err(FrameError::NoBlankLine(2)));
    check(b"DISCONNECT\0", Err(FrameError::NoBlankLine(1)));
    check(
        b"DISCONNECT\nreceipt:1\n\0",
        Err(FrameError::NoBlankLine(3)),
    );
    for heart_beat in [&b""[..], b"\n", b"\r\n", b"\n\n\n"] {
        assert_eq!(read(heart_beat), Ok(None));
    }
}

#[test]
fn lengths() {
    fn check_body(length: &str, rest: &[u8], expected: Result<&[u8], FrameError>) {
        let message = [b"SEND\n", length.as_bytes(), b"\n", rest].concat();
        let frame = read(&message).map(|frame| frame.unwrap().body.to_vec());
        assert_eq!(frame, expected.map(<[u8]>::to_vec), "{length:?} {rest:?}");
    }
    check_body("", b"{}\0", Ok(b"{}"));
    check_body("", b"a\0b\0", Err(FrameError::MoreThanOne));
    check_body("content-length:3\n", b"a\0b\0", Ok(b"a\0b"));
    check_body("content-length:3\n", b"a\0b\0\n", Ok(b"a\0b"));
    // The length of something else, as pxgrid-api sends it.
    check_body("content-length:2\n", b"{\"a\":1}\0", Ok(b"{\"a\":1}"));
    check_body("content-length:1\n", b"a\0b\0", Ok(b"a\0b"));
    check_body("content-length:99\n", b"{}\0\n", Ok(b"{}"));
    check_body("content-length:18446744073709551615\n", b"{}\0", Ok(b"{}"));
    check_body("content-length:2\n", b"{}", Err(FrameError::NoEnd));
    check_body("content-length:2\n", b"{}\0x", Err(FrameError::MoreThanOne));
    check_body("content-length:two\n", b"{}\0", Err(FrameError::NoLength));
    check_body("content-length:-2\n", b"{}\0", Err(FrameError::NoLength));
    check_body("content-length:2\ncontent-length:x\n", b"{}\0", Ok(b"{}"));
}

#[test]
fn headers() {
    fn check_header(line: &str, expected: Result<(&str, &str), FrameError>) {
        let message = format!("SUBSCRIBE\n{line}\n\n\0");
        match expected {
            Ok(header) => check(message.as_bytes(), Ok((Command::Subscribe, &[header], b""))),
            Err(error) => check(message.as_bytes(), Err(error)),
        }
    }
    check_header("id:1", Ok(("id", "1")));
    check_header("id:", Ok(("id", "")));
    check_header("id: 1 ", Ok(("id", " 1 ")));
    check_header("id:a:b", Ok(("id", "a:b")));
    check_header(r"i\cd:a\cb\\\r\n", Ok(("i:d", "a:b\\\r\n")));
    check_header(r"id:\t", Err(FrameError::NoEscape(2)));
    check_header(r"id:\", Err(FrameError::NoEscape(2)));
    check_header("id", Err(FrameError::NoName(2)));
    check_header(":1", Err(FrameError::NoName(2)));
    check_header("id:a\0b", Err(FrameError::NoText(2)));
    check_header("id:a\rb", Err(FrameError::NoText(2)));
    check(b"SUBSCRIBE\nid:\xff\n\n\0", Err(FrameError::NoText(2)));
    // No escapes where the version is agreed on.
    check(
        b"CONNECT\nhost:\\t\n\n\0",
        Ok((Command::Connect, &[("host", "\\t")], b"")),
    );
    let frame = read(b"SEND\na:1\na:2\n\n\0").unwrap().unwrap();
    assert_eq!((frame.header("a"), frame.header("b")), (Some("1"), None));
}

#[test]
fn commands() {
    for command in Command::ALL {
        let message = format!("{}\n\n\0", command.as_str());
        check(message.as_bytes(), Ok((command, &[], b"")));
    }
    check(b"STOMP\n\n\0", Ok((Command::Connect, &[], b"")));
    for (line, expected) in [
        ("send", "send"),
        ("GET / HTTP/1.1", "GET / HTTP/1.1"),
        ("a\tb\u{fffd}", "a b\u{fffd}"),
        (&"X".repeat(99), &"X".repeat(40)),
    ] {
        let message = format!("{line}\n\n\0");
        let expected = FrameError::NoCommand(expected.to_owned());
        check(message.as_bytes(), Err(expected));
    }
}

#[test]
fn limits() {
    let longest = format!("SEND\nx:{}\n\n\0", "x".repeat(4094));
    assert!(read(longest.as_bytes()).is_ok());
    let longer = format!("SEND\nx:{}\n\n\0", "x".repeat(4095));
    check(longer.as_bytes(), Err(FrameError::LongLine(2)));
    let most = format!("SEND\n{}\n\0", "x:y\n".repeat(32));
    assert!(read(most.as_bytes()).is_ok());
    let more = format!("SEND\n{}\n\0", "x:y\n".repeat(33));
    check(more.as_bytes(), Err(FrameError::ManyHeaders));
    let mut largest = b"SEND\n\n".to_vec();
    largest.resize(LARGEST_MESSAGE - 1, b'x');
    largest.push(0);
    assert!(read(&largest).is_ok());
    largest.push(b'\n');
    check(&largest, Err(FrameError::TooLarge(LARGEST_MESSAGE + 1)));
}

#[test]
fn what_is_written() {
    assert_eq!(&*CONNECTED, b"CONNECTED\nversion:1.2\n\n\0");
    assert_eq!(&*receipt("a:1"), b"RECEIPT\nreceipt-id:a\\c1\n\n\0");
    assert_eq!(
        &*message("/topic/x", "my-id", 7, b"{\"a\":1}"),
        b"MESSAGE\ndestination:/topic/x\nsubscription:my-id\nmessage-id:7\n\
          content-type:application/json\ncontent-length:7\n\n{\"a\":1}\0"
    );
    assert_eq!(
        &*error("`id`: expected one", Some("9")),
        b"ERROR\nmessage:`id`\\c expected one\nreceipt-id:9\n\
          content-type:text/plain\ncontent-length:18\n\n`id`: expected one\0"
    );
}

#[test]
fn json_on_one_line() {
    for (json, expected) in [
        ("{\"a\":1}", Some("{\"a\":1}")),
        (" {}\r\n", Some("{}")),
        ("{\n\t\"a\": \"\\n\"\r\n}", Some("{ \t\"a\": \"\\n\"  }")),
        ("[1,2]", Some("[1,2]")),
        ("", None),
        ("{", None),
        ("{} {}", None),
        ("{\"a\":\"\n\"}", None),
        ("{\"a\":\"\0\"}", None),
        ("<xml/>", None),
    ] {
        let line = one_line(json.as_bytes());
        assert_eq!(line.as_deref(), expected.map(str::as_bytes), "{json:?}");
    }
    assert_eq!(one_line(b"\"\xff\""), None);
    // Depth costs nothing.
    let deep = "[".repeat(100_000);
    assert_eq!(one_line(deep.as_bytes()), None);
    let closed = format!("{deep}{}", "]".repeat(100_000));
    assert!(one_line(closed.as_bytes()).is_some());
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        destination in "[^\0]{0,40}",
        subscription in "[^\0]{0,40}",
        number in any::<u64>(),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let written = message(&destination, &subscription, number, &body);
        let frame = read(&written).unwrap().unwrap();
        prop_assert_eq!(frame.command, Command::Message);
        prop_assert_eq!(frame.header("destination"), Some(&*destination));
        prop_assert_eq!(frame.header("subscription"), Some(&*subscription));
        prop_assert_eq!(frame.header("message-id"), Some(&*number.to_string()));
        prop_assert_eq!(frame.body, &*body);
        // What a client that splits at every colon makes of the headers.
        let length = written.len() - body.len() - 1;
        for line in written[..length].split(|byte| *byte == b'\n').skip(1) {
            let parts = line.split(|byte| *byte == b':').count();
            prop_assert!(line.is_empty() || parts == 2);
        }
    }

    #[test]
    fn one_line_means_the_same(value in json(), spaces in "[ \n\r\t]{0,3}") {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let text = format!("{spaces}{text}{spaces}");
        let line = one_line(text.as_bytes()).unwrap();
        prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&line).unwrap(), value);
    }

    #[test]
    fn garbage_is_refused_or_read(message in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&message);
        let _ = one_line(&message);
    }

    #[test]
    fn nearly_a_frame(
        command in "(SEND|CONNECT|SUBSCRIBE|STOMP|X)",
        headers in prop::collection::vec("[a-c:\\\\\r\0]{0,6}", 0..5),
        length in prop::option::of(0_usize..9),
        body in "[a\0\n]{0,6}",
    ) {
        let length = length.map(|length| format!("content-length:{length}"));
        let lines: Vec<String> = [command.clone()].into_iter().chain(headers).chain(length).collect();
        let text = format!("{}\n\n{body}", lines.join("\n"));
        if let Ok(Some(frame)) = read(text.as_bytes()) {
            // The line of the command and the NUL are not its body.
            prop_assert!(frame.body.len() + command.len() + 2 <= text.len());
        }
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\n]{0,3}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect()),
        ]
    })
}
