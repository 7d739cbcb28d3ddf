//! Cisco ISE as the description of its MDM API has it: asks `mdminfo` first,
//! takes the path of all else from the answer, repeats with `paging_info`, and
//! takes nothing that the description does not allow.

use anyhow::{Context as _, bail, ensure};
use portreeve_harness::Stand;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, RequestBuilder, StatusCode};

use crate::xml::Element;

/// What all attributes of a device are called, in order.
const ATTRIBUTES: [&str; 16] = [
    "register_status",
    "compliance",
    "disk_encryption_on?",
    "pin_lock_on?",
    "jail_broken?",
    "manufacturer?",
    "model?",
    "imei?",
    "meid?",
    "udid?",
    "serial_number?",
    "os_version?",
    "phone_number?",
    "lastCheckinTimeStamp?",
    "guid?",
    "macaddresses?",
];

/// One policy node that has found out how to ask.
#[derive(Debug)]
pub(crate) struct Ise {
    http: reqwest::Client,
    origin: String,
    credential: (String, String),
    version: u32,
    api_path: String,
    pub(crate) query_max_size: u32,
}

/// A device of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// An address of twelve digits, or a GUID.
    pub(crate) name: String,
    pub(crate) registered: bool,
    pub(crate) compliant: bool,
    pub(crate) reason: Option<String>,
    pub(crate) guid: Option<String>,
    pub(crate) last_contact: Option<u64>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Devices(Vec<Device>),
    /// The MDM is not reachable for ISE: status and reason.
    Unreachable(u16, String),
}

impl Told {
    /// The only device of an answer, `None` if it is not registered.
    pub(crate) fn device(self) -> anyhow::Result<Option<Device>> {
        match self {
            Self::Devices(devices) if devices.len() <= 1 => Ok(devices.into_iter().next()),
            other => bail!("{other:?}"),
        }
    }
}

impl Ise {
    /// "Test Connection" of a node that speaks versions up to `highest`.
    pub(crate) async fn connect(
        stand: &Stand,
        credential: (&str, &str),
        highest: u32,
    ) -> anyhow::Result<Self> {
        let ca = reqwest::Certificate::from_pem(stand.authority.pem().as_bytes())?;
        let http = reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .build()?;
        let mut ise = Self {
            http,
            origin: stand.gateway.origin().to_owned(),
            credential: (credential.0.to_owned(), credential.1.to_owned()),
            version: highest,
            api_path: String::new(),
            query_max_size: 0,
        };
        let path = match highest {
            1 => "/ciscoise/mdminfo".to_owned(),
            _ => format!("/ciscoise/mdminfo/?ise_api_version={highest}"),
        };
        let info = match ise.ask(ise.request(Method::GET, &path)).await? {
            Ok(info) => info,
            Err((status, reason)) => bail!("{status}: {reason}"),
        };
        let product = if highest == 1 { "?" } else { "" };
        let product =
            ["vendor", "product_name", "product_version"].map(|it| format!("{it}{product}"));
        let mut sequence = vec![
            "name",
            "api_version",
            "api_path",
            "redirect_url",
            "query_max_size",
            "messaging_support",
        ];
        sequence.extend(product.iter().map(String::as_str));
        info.expect(&sequence)?;
        ensure!(info.text_of("name") == Some("mdminfo"));
        let version = info.number("api_version")?.context("api_version")?;
        ensure!(version <= highest, "version {version} was not asked for");
        info.boolean("messaging_support")?;
        info.text_of("api_path")
            .context("api_path")?
            .clone_into(&mut ise.api_path);
        ensure!(ise.api_path.starts_with('/'));
        ise.query_max_size = info.number("query_max_size")?.context("query_max_size")?;
        ise.version = version;
        Ok(ise)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let (name, password) = &self.credential;
        self.http
            .request(method, format!("{}{path}", self.origin))
            .basic_auth(name, Some(password))
            .header("accept", "application/xml")
    }

    /// The document of an answer, or status and reason of an error.
    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Result<Element, (u16, String)>> {
        let response = request.send().await?;
        let status = response.status();
        ensure!(
            response.headers().get(CONTENT_TYPE).context("a type")?
                == "application/xml; charset=utf-8"
        );
        let waits = response.headers().contains_key("retry-after");
        let root = Element::read(&response.text().await?)?;
        ensure!(root.name == "ise_api");
        if status == StatusCode::OK {
            return Ok(Ok(root));
        }
        ensure!(
            waits || status != StatusCode::SERVICE_UNAVAILABLE,
            "no Retry-After"
        );
        let reason = root.text_of("failure_reason").context("a reason")?;
        Ok(Err((status.as_u16(), reason.to_owned())))
    }

    /// Asks for one device.
    pub(crate) async fn device(&self, criterion: &str, value: &str) -> anyhow::Result<Told> {
        let path = |paging: u32| match self.version {
            1 => format!("{}/devices/{paging}/{criterion}/{value}/all", self.api_path),
            _ => format!(
                "{}/devices/?paging={paging}&querycriteria={criterion}&value={value}&filter=all",
                self.api_path
            ),
        };
        self.pages(path).await
    }

    /// What every node does at each polling interval.
    pub(crate) async fn not_compliant(&self, identifier: &str) -> anyhow::Result<Told> {
        self.compliance(false, identifier).await
    }

    pub(crate) async fn compliance(&self, value: bool, identifier: &str) -> anyhow::Result<Told> {
        let path = |paging: u32| match self.version {
            1 => format!("{}/devices/{paging}/compliance/{value}/all", self.api_path),
            2 => format!(
                "{}/devices/?paging={paging}&querycriteria=compliance&value={value}&filter=all",
                self.api_path
            ),
            _ => format!(
                "{}/devices/?paging={paging}&querycriteria=compliance&value={value}\
                 &deviceidentifier={identifier}&filter=all",
                self.api_path
            ),
        };
        self.pages(path).await
    }

    /// All devices of a user.
    pub(crate) async fn of_user(&self, user: &str) -> anyhow::Result<Told> {
        self.device("username", user).await
    }

    /// Many addresses in one request.
    pub(crate) async fn batch(&self, macs: &[String]) -> anyhow::Result<Told> {
        let values = format!("<value>{}</value>", macs.join("</value><value>"));
        let path = format!(
            "{}/batchdevices/?paging=0&querycriteria=macaddress&filter=all",
            self.api_path
        );
        let request = self
            .request(Method::POST, &path)
            .header(CONTENT_TYPE, "application/xml");
        match self
            .ask(request.body(format!("<ise_api>{values}</ise_api>")))
            .await?
        {
            Ok(root) => Ok(Told::Devices(self.devices(&root)?.0)),
            Err((status, reason)) => Ok(Told::Unreachable(status, reason)),
        }
    }

    /// Asks for an action and says whether it was done, and why not.
    pub(crate) async fn act(&self, kind: &str, mac: &str) -> anyhow::Result<(bool, String)> {
        let path = format!("{}/action/?actionType={kind}", self.api_path);
        let body =
            format!("<ise_api><identifier><macaddress>{mac}</macaddress></identifier></ise_api>");
        let root = self
            .ask(self.request(Method::POST, &path).body(body))
            .await?;
        let root = root.map_err(|(status, reason)| anyhow::anyhow!("{status}: {reason}"))?;
        root.expect(&["name", "api_version", "deviceList"])?;
        ensure!(root.text_of("name") == Some("action"));
        let device = root.child("deviceList").context("a list")?;
        device.expect(&["device"])?;
        let device = device.child("device").context("a device")?;
        device.expect(&["macaddress", "result"])?;
        let result = device.child("result").context("a result")?;
        result.expect(&["action_status", "failure_reason"])?;
        let status = result.boolean("action_status")?.context("a status")?;
        Ok((
            status,
            result
                .text_of("failure_reason")
                .unwrap_or_default()
                .to_owned(),
        ))
    }

    /// Repeats a query until `paging_info` is zero or missing.
    async fn pages(&self, path: impl Fn(u32) -> String) -> anyhow::Result<Told> {
        let mut devices = Vec::new();
        let mut paging = 0;
        loop {
            let request = self.request(Method::GET, &path(paging));
            let root = match self.ask(request).await? {
                Ok(root) => root,
                Err((status, reason)) => return Ok(Told::Unreachable(status, reason)),
            };
            let (page, next) = self.devices(&root)?;
            ensure!(
                page.len() <= self.query_max_size as usize,
                "a page of {}",
                page.len()
            );
            devices.extend(page);
            if next == 0 {
                return Ok(Told::Devices(devices));
            }
            paging = next;
        }
    }

    fn devices(&self, root: &Element) -> anyhow::Result<(Vec<Device>, u32)> {
        let busy = ["server_busy_wait_seconds?"];
        let busy = if self.version == 3 { &busy[..] } else { &[] };
        let sequence = [
            &["name", "api_version", "paging_info?"],
            busy,
            &["deviceList"],
        ]
        .concat();
        root.expect(&sequence)?;
        ensure!(root.text_of("name") == Some("attributes"));
        ensure!(root.number("api_version")? == Some(self.version));
        let list = root.child("deviceList").context("deviceList")?;
        let devices = list.children.iter().map(|device| self.read(device));
        let devices = devices.collect::<anyhow::Result<_>>()?;
        Ok((devices, root.number("paging_info")?.unwrap_or(0)))
    }

    fn read(&self, device: &Element) -> anyhow::Result<Device> {
        ensure!(device.name == "device");
        let name = if let Some(guid) = device.child("guid") {
            ensure!(self.version == 3, "a GUID before version 3");
            device.expect(&["guid", "attributes"])?;
            guid.text.clone()
        } else {
            device.expect(&["macaddress", "attributes"])?;
            let mac = device.text_of("macaddress").unwrap_or_default();
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
            ensure!(mac.len() == 12 && mac.bytes().all(is_digit), "`{mac}`");
            mac.to_owned()
        };
        let attributes = device.child("attributes").context("attributes")?;
        let known = if self.version == 3 { 16 } else { 13 };
        attributes.expect(ATTRIBUTES.get(..known).unwrap_or_default())?;
        for name in ["disk_encryption_on", "pin_lock_on", "jail_broken"] {
            attributes.boolean(name)?;
        }
        let compliance = attributes.child("compliance").context("compliance")?;
        compliance.expect(&["status", "failure_reason?", "remediation?"])?;
        let addresses = attributes.text_of("macaddresses").unwrap_or_default();
        ensure!(addresses.split(',').count() <= 5, "{addresses}");
        let last_contact = attributes.text_of("lastCheckinTimeStamp");
        Ok(Device {
            name,
            registered: attributes
                .boolean("register_status")?
                .context("register_status")?,
            compliant: compliance.boolean("status")?.context("status")?,
            reason: compliance.text_of("failure_reason").map(str::to_owned),
            guid: attributes.text_of("guid").map(str::to_owned),
            last_contact: last_contact.map(str::parse).transpose()?,
        })
    }
}
