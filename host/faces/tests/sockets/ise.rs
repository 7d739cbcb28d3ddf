//! The MDM API of Cisco ISE.

use reqwest::{Method, RequestBuilder};

use crate::stand::*;

/// Status and body, of which the media type is checked.
async fn told(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let kind = &response.headers()["content-type"];
    assert_eq!(kind, "application/xml; charset=utf-8");
    let status = response.status().as_u16();
    if status == 503 {
        assert!(response.headers().contains_key("retry-after"));
    }
    (status, response.text().await.unwrap())
}

/// What is in an element, `None` when there is none. Its first occurrence.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
        .map(|(content, _)| content)
}

fn plain(mac: &str) -> String {
    mac.replace(':', "").to_ascii_uppercase()
}

#[tokio::test]
async fn the_conversation_begins_with_what_is_spoken() {
    let stand = Stand::new().await;
    for (query, version) in [
        ("", "1"),
        ("?ise_api_version=1", "1"),
        ("?ise_api_version=2", "2"),
        ("?ise_api_version=3", "3"),
        ("?ise_api_version=9", "3"),
    ] {
        for slash in ["", "/"] {
            let path = format!("/ciscoise/mdminfo{slash}{query}");
            let (status, body) = told(stand.get(&path, CISCO)).await;
            assert_eq!(status, 200);
            assert_eq!(element(&body, "name"), Some("mdminfo"));
            assert_eq!(element(&body, "api_version"), Some(version), "{path}");
            let api_path = format!("/ciscoise/mdmapi/v{version}");
            assert_eq!(element(&body, "api_path"), Some(&*api_path));
            assert_eq!(element(&body, "messaging_support"), Some("false"));
        }
    }
    let (status, body) = told(stand.get("/ciscoise/mdminfo?ise_api_version=x", CISCO)).await;
    assert_eq!(status, 400);
    let reason = element(&body, "failure_reason").unwrap();
    assert!(reason.starts_with("`ise_api_version`"), "{reason}");
}

/// Every way to ask for one device, in every state that it can be in.
#[tokio::test]
async fn one_device() {
    let stand = Stand::new().await;
    for (mac, expected) in [
        (COMPLIANT, Some(Some("true"))),
        (NOT_COMPLIANT, Some(Some("false"))),
        (UNKNOWN, Some(None)),
        (UNREACHABLE, None),
        (AMBIGUOUS, None),
        (HANGING, None),
    ] {
        let value = plain(mac);
        for path in [
            format!("v1/devices/0/macaddress/{value}/all"),
            format!("v1/devices/0/macaddress/{mac}/all/"),
            format!("v2/devices/?paging=0&querycriteria=macaddress&value={value}&filter=all"),
            format!("v2/devices?querycriteria=macaddress&value={mac}"),
            format!("v3/devices/?paging=0&querycriteria=macaddress&value={value}&filter=all"),
            format!(
                "v3/devices/?paging=0&querycriteria=macaddress&value={value}&filter=imei+model"
            ),
        ] {
            let (status, body) = told(stand.get(&format!("/ciscoise/mdmapi/{path}"), CISCO)).await;
            let Some(compliant) = expected else {
                assert_eq!(status, 503, "{path}: {body}");
                assert_eq!(element(&body, "name"), Some("error"));
                assert_eq!(element(&body, "deviceList"), None);
                continue;
            };
            assert_eq!(status, 200, "{path}: {body}");
            assert_eq!(element(&body, "name"), Some("attributes"));
            assert_eq!(element(&body, "paging_info"), Some("0"));
            assert_eq!(element(&body, "api_version"), Some(&path[1..2]));
            let busy = path.starts_with("v3").then_some("0");
            assert_eq!(element(&body, "server_busy_wait_seconds"), busy);
            let list = element(&body, "deviceList").unwrap();
            let Some(compliant) = compliant else {
                assert_eq!(list, "", "{path}");
                continue;
            };
            assert_eq!(element(list, "macaddress"), Some(&*value));
            assert_eq!(element(list, "register_status"), Some("true"));
            assert_eq!(element(list, "status"), Some(compliant));
            let reason = (compliant == "false").then_some("as the management system says");
            assert_eq!(element(list, "failure_reason"), reason);
        }
    }
}

#[tokio::test]
async fn every_answer_says_what_rest_says() {
    let stand = Stand::new().await;
    for mac in [COMPLIANT, NOT_COMPLIANT, UNKNOWN, UNREACHABLE, AMBIGUOUS] {
        let rest = stand.get(&format!("/v1/devices/{mac}"), SCRIPT).send();
        let rest: serde_json::Value = rest.await.unwrap().json().await.unwrap();
        let path = format!("/ciscoise/mdmapi/v3/devices/?querycriteria=macaddress&value={mac}");
        let (status, body) = told(stand.get(&path, CISCO)).await;
        let said = match (status, element(&body, "status")) {
            (503, _) => "cannot-tell",
            (_, Some("true")) => "permit",
            (_, Some("false")) => "deny",
            _ => "deny, unknown",
        };
        let unknown = if rest["absence"] == "unknown-device" {
            ", unknown"
        } else {
            ""
        };
        assert_eq!(
            said,
            format!("{}{unknown}", rest["verdict"].as_str().unwrap())
        );
    }
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let stand = Stand::new().await;
    let get = |path: &str| (Method::GET, format!("/ciscoise/{path}"));
    for ((method, path), credential, status, reason) in [
        (get("mdminfo"), "", 401, "expected `Authorization`"),
        (
            get("mdminfo"),
            "Basic Y2lzY286d3Jvbmc=",
            401,
            "expected `Authorization`",
        ),
        (
            get("mdminfo"),
            SCRIPT,
            403,
            "client `script` may not use the face `ise`",
        ),
        (
            get("nothing"),
            CISCO,
            404,
            "there is nothing at `/ciscoise/nothing`",
        ),
        (get("nothing"), "", 401, "expected"),
        (
            get("mdmapi/v4/devices/"),
            CISCO,
            404,
            "expected `v1`, `v2` or `v3`",
        ),
        (
            get("mdmapi/v2/batchdevices/"),
            CISCO,
            405,
            "`GET` is not taken here",
        ),
        (
            (Method::POST, "/ciscoise/mdminfo/".to_owned()),
            CISCO,
            405,
            "`POST` is not taken here",
        ),
        (
            get("mdmapi/v2/devices/?querycriteria=colour&value=red"),
            CISCO,
            400,
            "`querycriteria`: expected `macaddress`",
        ),
        (
            get("mdmapi/v2/devices/?querycriteria=macaddress&value=12"),
            CISCO,
            400,
            "`value`: `12` is no MAC address",
        ),
        (
            get("mdmapi/v1/devices/0"),
            CISCO,
            400,
            "expected `{paging}/{filter}`",
        ),
        (
            get("mdmapi/v3/devices/?querycriteria=macaddress&value=005056000001&paging=7"),
            CISCO,
            400,
            "`paging`: expected `0`",
        ),
        (
            get("mdmapi/v3/devices/?paging=7&filter=all"),
            CISCO,
            410,
            "`paging`: there is no list with this `paging_info` any more",
        ),
    ] {
        let response = stand
            .request(method, &path, credential)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{path}");
        let challenges = response.headers().get_all("www-authenticate").iter();
        let basic = challenges
            .filter(|it| it.to_str().unwrap().starts_with("Basic "))
            .count();
        assert_eq!(basic, usize::from(status == 401));
        assert_eq!(response.headers().contains_key("allow"), status == 405);
        assert_eq!(
            response.headers()["content-type"],
            "application/xml; charset=utf-8"
        );
        let body = response.text().await.unwrap();
        assert_eq!(element(&body, "name"), Some("error"));
        assert_eq!(element(&body, "status"), Some(&*status.to_string()));
        let found = element(&body, "failure_reason").unwrap();
        assert!(found.starts_with(reason), "{path}: {found}");
    }
}

fn batch(stand: &Stand, xml: &str) -> RequestBuilder {
    let path = "/ciscoise/mdmapi/v2/batchdevices/?paging=0&querycriteria=macaddress&filter=all";
    stand
        .request(Method::POST, path, CISCO)
        .body(xml.to_owned())
}

#[tokio::test]
async fn many_devices_at_once() {
    let stand = Stand::new().await;
    let values = |macs: &[&str]| {
        let values = macs.iter().map(|mac| format!("<value>{mac}</value>"));
        format!("<ise_api>{}</ise_api>", values.collect::<String>())
    };
    let xml = values(&[COMPLIANT, UNKNOWN, NOT_COMPLIANT, COMPLIANT]);
    let (status, body) = told(batch(&stand, &xml)).await;
    assert_eq!(status, 200, "{body}");
    let devices: Vec<_> = body.split("<device>").skip(1).collect();
    let told_of = |device: &str| {
        let mac = element(device, "macaddress").unwrap();
        format!("{mac} {}", element(device, "status").unwrap())
    };
    let devices: Vec<_> = devices.into_iter().map(told_of).collect();
    assert_eq!(devices, ["005056000001 true", "005056000002 false"]);

    // One that we cannot tell about would be missing, as if it were unknown.
    let (status, body) = told(batch(&stand, &values(&[COMPLIANT, UNREACHABLE]))).await;
    assert_eq!(status, 503, "{body}");
    let reason = element(&body, "failure_reason").unwrap();
    assert_eq!(reason, "source `contoso`: connection refused");
    let (status, body) = told(batch(&stand, &values(&[COMPLIANT, "12"]))).await;
    assert_eq!(status, 400);
    let reason = element(&body, "failure_reason").unwrap();
    assert!(
        reason.starts_with("device 2 of the body: `12` is no MAC"),
        "{reason}"
    );
}

#[tokio::test]
async fn bodies_that_are_no_good() {
    let stand = Stand::new().await;
    for (xml, status, expected) in [
        ("", 400, "the body: expected an XML document"),
        ("<ise_api/>", 400, "the body names no device"),
        ("<ise_api>", 400, "the body: the document ends"),
        (
            "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>",
            400,
            "the body: a document type is not taken here",
        ),
        (
            &"<a>".repeat(1_000),
            400,
            "the body: expected at most 16 elements",
        ),
        (
            &" ".repeat((8 << 20) + 1),
            413,
            "expected at most 8388608 bytes",
        ),
    ] {
        let (found, body) = told(batch(&stand, xml)).await;
        assert_eq!(found, status);
        let reason = element(&body, "failure_reason").unwrap();
        assert!(reason.starts_with(expected), "{reason}");
    }
    let packed = batch(&stand, "<a/>").header("content-encoding", "gzip");
    assert_eq!(told(packed).await.0, 415);
}

#[tokio::test]
async fn nothing_is_done_to_devices_unless_it_is_allowed() {
    let stand = Stand::new().await;
    let action = |path: &str, mac: &str, credential: &str| {
        let path = format!("/ciscoise/mdmapi/v3/action/{path}");
        let xml =
            format!("<ise_api><identifier><macaddress>{mac}</macaddress></identifier></ise_api>");
        stand.request(Method::POST, &path, credential).body(xml)
    };
    for (path, mac, credential, expected) in [
        (
            "?actionType=full_wipe",
            COMPLIANT,
            CISCO,
            "client `cisco` may not ask for the action `wipe`",
        ),
        (
            "actionType=corporate_wipe",
            COMPLIANT,
            CISCO,
            "client `cisco` may not ask for the action `retire`",
        ),
        (
            "?actionType=full_wipe",
            COMPLIANT,
            ACTING,
            "the action `wipe` wants a confirmation, which this protocol has not; the client's \
             `unconfirmed-actions` allows it without",
        ),
        (
            "?actionType=pin_lock",
            UNKNOWN,
            ACTING,
            "no source knows this device",
        ),
        (
            "actionType=pin_lock/",
            UNREACHABLE,
            ACTING,
            "source `contoso`: connection refused",
        ),
        (
            "?actionType=pin_lock",
            COMPLIANT,
            ACTING,
            "source `contoso`: the source cannot do that",
        ),
    ] {
        let (status, body) = told(action(path, mac, credential)).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(element(&body, "name"), Some("action"));
        assert_eq!(element(&body, "macaddress"), Some(mac));
        assert_eq!(element(&body, "action_status"), Some("false"));
        assert_eq!(element(&body, "failure_reason"), Some(expected));
    }
    for path in ["?actionType=explode", "?actionType=", "", "explode"] {
        let (status, _) = told(action(path, COMPLIANT, ACTING)).await;
        assert_eq!(status, 400, "{path}");
    }
    // As a form.
    let form = "--x\r\nContent-Type: application/xml\r\n\r\n<ise_api><identifier>\
        <macaddress>005056000001</macaddress></identifier></ise_api>\r\n--x--";
    let request = stand
        .request(
            Method::POST,
            "/ciscoise/mdmapi/v2/action/?actionType=pin_lock",
            CISCO,
        )
        .header("content-type", "multipart/form-data; boundary=x")
        .body(form);
    let (status, body) = told(request).await;
    assert_eq!(
        (status, element(&body, "action_status")),
        (200, Some("false"))
    );
}

#[tokio::test]
async fn messages_are_switched_off() {
    let stand = Stand::new().await;
    let send = |xml: &'static str| {
        let path = "/ciscoise/mdmapi/v3/sendmessage";
        stand.request(Method::PUT, path, ACTING).body(xml)
    };
    let xml = "<ise_api><identifier><macaddress>005056000001</macaddress></identifier><message>\
        <message_type>Alert</message_type><message_body>Hello</message_body></message></ise_api>";
    let (status, body) = told(send(xml)).await;
    assert_eq!(status, 200);
    assert_eq!(element(&body, "name"), Some("sendmessage"));
    assert_eq!(element(&body, "message_status"), Some("false"));
    let reason = element(&body, "failure_reason");
    assert_eq!(reason, Some("messages to users are switched off here"));
    let xml = "<ise_api><identifier><macaddress>005056000001</macaddress></identifier></ise_api>";
    assert_eq!(told(send(xml)).await.0, 400);
}

/// There is no inventory, so there are no lists.
#[tokio::test]
async fn a_list_that_would_be_short_is_refused() {
    let stand = Stand::new().await;
    for path in [
        "v1/devices/0/compliance/false/all",
        "v1/devices/0/all",
        "v3/devices/?paging=0&querycriteria=compliance&value=false&deviceidentifier=guid&filter=all",
        "v3/devices/?paging=0&querycriteria=compliance&value=true&filter=all",
        "v3/devices/?paging=0&querycriteria=username&value=ada%40example.com&filter=all",
    ] {
        let (status, body) = told(stand.get(&format!("/ciscoise/mdmapi/{path}"), CISCO)).await;
        assert_eq!(status, 503, "{path}");
        assert_eq!(element(&body, "deviceList"), None);
    }
}
