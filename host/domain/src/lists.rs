//! Lists the operator keeps, e.g. devices that are exempt.

use std::collections::{BTreeMap, HashSet};

use crate::Identifier;

/// Named lists of members. An identifier is the same member in any spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists(BTreeMap<String, HashSet<String>>);

impl Lists {
    /// Adds a list, or replaces the one of that name.
    pub fn insert<'a>(&mut self, name: &str, members: impl IntoIterator<Item = &'a str>) {
        let members = members.into_iter().map(Self::canonical).collect();
        self.0.insert(name.to_owned(), members);
    }

    /// Whether `member` is in the list, `None` when there is no such list.
    pub fn contains(&self, name: &str, member: &str) -> Option<bool> {
        self.0
            .get(name)
            .map(|members| members.contains(&Self::canonical(member)))
    }

    /// Puts a member into a list, or takes it out. Nothing happens to a list that
    /// is not there.
    pub fn set(&mut self, name: &str, member: &str, is_member: bool) {
        let Some(members) = self.0.get_mut(name) else {
            return;
        };
        let member = Self::canonical(member);
        if is_member {
            members.insert(member);
        } else {
            members.remove(&member);
        }
    }

    /// The members of a list, in no order; none when there is no such list.
    pub fn members(&self, name: &str) -> impl Iterator<Item = &str> {
        let members = self.0.get(name).into_iter().flatten();
        members.map(String::as_str)
    }

    /// The one spelling in which a member is kept.
    pub fn canonical(member: &str) -> String {
        let member = member.trim();
        member
            .parse::<Identifier>()
            .map_or_else(|_| member.to_lowercase(), |id| id.to_string())
    }

    /// The lists' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter() {
        let mut lists = Lists::default();
        lists.insert("vip", ["00-50-56-A4-89-5A", "Printers"]);
        assert_eq!(lists.contains("vip", "005056a4895a"), Some(true));
        assert_eq!(lists.contains("vip", "mac:0050.56a4.895a"), Some(true));
        assert_eq!(lists.contains("vip", "printers"), Some(true));
        assert_eq!(lists.contains("vip", "00:50:56:a4:89:5b"), Some(false));
        assert_eq!(lists.contains("other", "printers"), None);
        lists.set("vip", "mac:0050.56a4.895a", false);
        lists.set("vip", "Ada", true);
        lists.set("other", "ada", true);
        let mut members: Vec<&str> = lists.members("vip").collect();
        members.sort_unstable();
        assert_eq!(members, ["ada", "printers"]);
        assert_eq!(lists.members("other").count(), 0);
    }
}
