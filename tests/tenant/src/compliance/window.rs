//! The throttle of the list of devices that are not compliant.

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A period of four hours begins with the first call; calls are answered during its first hour and
/// refused during the other three (`mdm-protocols.md` 3.4).
#[derive(Debug, Default)]
pub(crate) struct Window {
    opened: Option<i64>,
}

impl Window {
    /// Whether a call at `now` (milliseconds) is answered.
    pub(crate) fn admit(&mut self, now: i64) -> bool {
        let opened = *self.opened.get_or_insert(now);
        match now - opened {
            age if age < HOUR_MS => true,
            age if age < 4 * HOUR_MS => false,
            _ => {
                self.opened = Some(now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hour_of_four() {
        let mut window = Window::default();
        let minute = 60_000;
        let start = 1_700_000_000_000;
        for (minutes, admitted) in [
            (0, true),
            (59, true),
            (60, false),
            (239, false),
            (240, true),
            (299, true),
            (300, false),
        ] {
            assert_eq!(
                window.admit(start + minutes * minute),
                admitted,
                "{minutes}"
            );
        }
    }
}
