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
    pub(crate) redirect_url: Option<url::Url>,
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
            redirect_url: section.optional("redirect-url"),
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
        let url = self.redirect_url.as_ref();
        IseSettings {
            redirect_url: url.map_or_else(String::new, ToString::to_string),
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
