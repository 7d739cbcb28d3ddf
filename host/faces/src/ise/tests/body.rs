//! Bodies as ISE and other products send them, and as nobody should.

use proptest::prelude::*;

use crate::ise::body::{Body, Malformed, document, read};

/// The devices of a body, in short.
fn devices(body: &Body) -> Vec<String> {
    let devices = body.devices.iter();
    devices
        .map(|named| match named.criterion {
            Some(criterion) => format!("{criterion:?} {}", named.value),
            None => named.value.clone(),
        })
        .collect()
}

#[track_caller]
fn check(xml: &str, expected: &[&str]) {
    let body = read(xml.as_bytes(), 3);
    assert_eq!(
        body.as_ref().map(devices).unwrap_or_default(),
        expected,
        "{body:?}"
    );
}

#[track_caller]
fn refused(xml: impl AsRef<[u8]>, expected: &str) {
    let error = read(xml.as_ref(), 3).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn what_names_devices() {
    check(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ise_api><value>3408BC507C78</value></ise_api>",
        &["3408BC507C78"],
    );
    check(
        "<ise_api><devices><device><macaddress> 3408BC507C78\n</macaddress></device></devices>\
         <value>2</value></ise_api>",
        &["MacAddress 3408BC507C78", "2"],
    );
    check(
        "\u{feff}<a:ise_api xmlns:a='urn:x'><a:Identifier><a:GUID>1</a:GUID></a:Identifier></a:ise_api>",
        &["Guid 1"],
    );
    check(
        "<r><value>a&amp;b&#x3a;c</value><value><![CDATA[<d>]]></value><value/><value> </value></r>",
        &["a&b:c", "<d>"],
    );
    check("<!-- so --><r><other>1</other></r><!-- so -->\n", &[]);
    check("<r/>", &[]);
    // The document element is what holds the others.
    check("<value>1</value>", &[]);
}

#[test]
fn messages() {
    let xml = "<ise_api><identifier><macaddress>3408BC507C78</macaddress></identifier><message>\
        <message_type>Alert</message_type><message_header>Hello</message_header>\
        <message_body>Call &lt;us&gt;</message_body></message></ise_api>";
    let body = read(xml.as_bytes(), 3).unwrap();
    assert_eq!(devices(&body), ["MacAddress 3408BC507C78"]);
    assert_eq!(body.header.as_deref(), Some("Hello"));
    assert_eq!(body.text.as_deref(), Some("Call <us>"));
}

#[test]
fn what_nobody_should_send() {
    refused("", "expected an XML document, found no element");
    refused("hello", "expected one document element");
    refused("{\"value\":1}", "expected one document element");
    refused("<r>", "the document ends inside of an element");
    refused("<r><value>1</r>", "no XML at");
    refused("<r></s>", "no XML at");
    refused(
        "<r/><r/>",
        "expected one document element, found more after it at 4",
    );
    refused("<r/>text", "expected one document element");
    refused(
        "<r><value><b/></value></r>",
        "expected text only in `value`",
    );
    refused(
        "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><r>&b;</r>",
        "a document type is not taken here, found one at 0",
    );
    refused(
        "<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><r/>",
        "a document type is not taken here",
    );
    refused(
        "<r>&passwd;</r>",
        "the entity `passwd` at 3 is not one of XML's own",
    );
    refused("<r>&#0;</r>", "the entity `#0` at 3");
    refused("<r>&#xd800;</r>", "the entity `#xd800` at 3");
    refused("<r>& </r>", "no XML at");
    refused(
        "<r><value>1</value><value>2</value><value>3</value><value>4</value></r>",
        "expected at most 3 devices, found more at 59",
    );
    refused(
        format!("<r><value>{}</value></r>", "a".repeat(513)),
        "expected at most 512 bytes in `value`, found more at 10",
    );
    refused(
        format!("<r><value>{}</value></r>", "&amp;".repeat(513)),
        "expected at most 512 bytes in `value`",
    );
    refused(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><r/>",
        "expected the encoding `UTF-8`, the document declares `UTF-16`",
    );
    refused(
        "<?xml version='1.0' encoding='ISO-8859-1'?><r/>",
        "expected the encoding `UTF-8`, the document declares `ISO-8859-1`",
    );
    refused(b"<r>\xe4</r>", "expected UTF-8, found other bytes at 3");
    let utf16: Vec<u8> = "\u{feff}<r/>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    refused(utf16, "expected UTF-8, found other bytes at 0");
}

#[test]
fn depth_has_an_end() {
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(read(nested(16).as_bytes(), 3).is_ok());
    refused(
        nested(17),
        "expected at most 16 elements inside each other, found more at 48",
    );
    refused("<a>".repeat(20_000), "expected at most 16 elements");
}

#[test]
fn forms() {
    let form = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nlock\r\n\
        --x\r\nContent-Type: application/xml\r\n\r\n<r/>\r\n--x--\r\n";
    let take = |content_type: &str, body| {
        let document = document(content_type.as_bytes(), body);
        document.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    for content_type in [
        "multipart/form-data; boundary=x",
        "Multipart/Form-Data; charset=utf-8; Boundary=\"x\"",
    ] {
        assert_eq!(take(content_type, form), Ok("<r/>".to_owned()));
    }
    let lines = b"preamble\n--x\n\n<r>\n</r>\n--x--";
    assert_eq!(
        take("multipart/mixed;boundary=x", lines),
        Ok("<r>\n</r>".to_owned())
    );
    for content_type in ["multipart/form-data", "multipart/form-data; boundary="] {
        assert_eq!(take(content_type, form), Err(Malformed::Boundary));
    }
    for (content_type, body) in [
        ("multipart/form-data; boundary=y", &form[..]),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n<r/>"),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\n\r\ntext\r\n--x--",
        ),
        ("multipart/form-data; boundary=x", b""),
    ] {
        assert_eq!(take(content_type, body), Err(Malformed::NoPart), "{body:?}");
    }
    // Whatever it is called, it is read as XML.
    for content_type in ["", "application/xml", "text/plain", "multipart"] {
        assert_eq!(take(content_type, b"<r/>"), Ok("<r/>".to_owned()));
    }
}

proptest! {
    #[test]
    fn nothing_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        xml in "(<[/?!]?(r|value|a:b|!\\[CDATA\\[|x y='1')?[/?]?>?|&(amp|x|#x?[0-9a-f]{0,9});?|[ -~]{0,5}){0,20}",
    ) {
        for text in [&bytes[..], xml.as_bytes()] {
            let _ = read(text, 3);
            let _ = document(b"multipart/form-data; boundary=<", text);
        }
        let _ = document(&bytes, xml.as_bytes());
    }

    #[test]
    fn what_is_named_is_found(values in prop::collection::vec("[0-9A-Fa-f:._@-]{1,40}", 0..20)) {
        let elements = values.iter().map(|value| format!("<x><value>{value}</value></x>"));
        let xml = format!("<ise_api>{}</ise_api>", elements.collect::<String>());
        let read = read(xml.as_bytes(), 20).unwrap();
        prop_assert_eq!(devices(&read), values);
    }
}
