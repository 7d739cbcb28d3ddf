//! `[ise]`: the MDM API of Cisco ISE.

use portreeve_faces::IseSettings;
use serde::Serialize;

use super::problem::Problem;
use super::read::Section;
use super::value::Span;

/// `[ise]`
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct IseConfig {
    pub(crate) redirect_url: Option<String>,
    pub(crate) vendor: String,
    pub(crate) product: String,
    pub(crate) query_max_size: usize,
    pub(crate) patience: Span,
    pub(crate) max_lists: usize,
    pub(crate) list_lifetime: Span,
    pub(crate) messaging: bool,
}

impl IseConfig {
    pub(super) fn read(section: Section<'_>) -> Self {
        let defaults = IseSettings::default();
        let read = Self {
            redirect_url: section
                .optional::<url::Url>("redirect-url")
                .map(String::from),
            vendor: section.or("vendor", defaults.vendor),
            product: section.or("product", defaults.product),
            query_max_size: section.or("query-max-size", defaults.query_max_size),
            patience: section.or("patience", Span(defaults.patience)),
            max_lists: section.or("max-lists", defaults.max_lists),
            list_lifetime: section.or("list-lifetime", Span(defaults.list_lifetime)),
            messaging: section.or("messaging", defaults.messaging),
        };
        let sizes = IseSettings::FEWEST..=IseSettings::MOST;
        if let Some(node) = section.node("query-max-size")
            && !sizes.contains(&read.query_max_size)
        {
            let message = format!("`{}` is out of range", read.query_max_size);
            let hint = format!("write a number from {} to {}", sizes.start(), sizes.end());
            section
                .reader
                .report(Problem::new(&node.place, &node.key, message).hint(hint));
        }
        if let Some(node) = section.node("redirect-url")
            && let Some(url) = &read.redirect_url
            && !url.starts_with("https://")
            && !url.starts_with("http://")
        {
            let message = format!("`{url}` is no address of a web page");
            let hint = "write e.g. `\"https://portal.example.com/enrol\"`";
            section
                .reader
                .report(Problem::new(&node.place, &node.key, message).hint(hint));
        }
        if let Some(node) = section.node("max-lists")
            && read.max_lists > MOST_LISTS
        {
            let message = format!("`{}` is out of range", read.max_lists);
            let hint = format!("the greatest value is {MOST_LISTS}");
            section
                .reader
                .report(Problem::new(&node.place, &node.key, message).hint(hint));
        }
        section.finish();
        read
    }

    /// The same in the faces' words.
    pub(crate) fn to_settings(&self) -> IseSettings {
        IseSettings {
            redirect_url: self.redirect_url.clone().unwrap_or_default(),
            vendor: self.vendor.clone(),
            product: self.product.clone(),
            query_max_size: self.query_max_size,
            patience: self.patience.0,
            max_lists: self.max_lists,
            list_lifetime: self.list_lifetime.0,
            messaging: self.messaging,
        }
    }
}

/// Each list that is kept holds records of devices.
const MOST_LISTS: usize = 1_000;
