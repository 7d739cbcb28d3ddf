//! Which fault is next, and how often each step was asked.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

use super::{Fault, Step};

/// Bound of planned faults for one step.
const MAX_PLANNED: usize = 1_000;

#[derive(Debug)]
struct Planned {
    fault: Fault,
    /// How often it is still used; `None` until it is cleared.
    left: Option<u32>,
}

/// Planned faults and counters of all steps.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    steps: Mutex<HashMap<Step, Line>>,
}

#[derive(Debug, Default)]
struct Line {
    requests: u64,
    planned: VecDeque<Planned>,
}

impl Faults {
    /// Counts one request that passes these steps, and takes the first fault planned for them.
    pub(crate) fn pass(&self, steps: &[Step]) -> Option<(Step, Fault)> {
        let mut lines = self.steps.lock();
        for step in steps {
            lines.entry(*step).or_default().requests += 1;
        }
        for step in steps {
            let planned = &mut lines.entry(*step).or_default().planned;
            let Some(first) = planned.front_mut() else {
                continue;
            };
            let fault = first.fault.clone();
            if let Some(left) = &mut first.left {
                *left -= 1;
                if *left == 0 {
                    planned.pop_front();
                }
            }
            return Some((*step, fault));
        }
        None
    }

    /// Adds a fault behind those that are planned already.
    pub(crate) fn plan(&self, step: Step, fault: Fault, times: Option<u32>) {
        let mut lines = self.steps.lock();
        let planned = &mut lines.entry(step).or_default().planned;
        if times != Some(0) && planned.len() < MAX_PLANNED {
            planned.push_back(Planned { fault, left: times });
        }
    }

    pub(crate) fn clear(&self, step: Step) {
        if let Some(line) = self.steps.lock().get_mut(&step) {
            line.planned.clear();
        }
    }

    pub(crate) fn requests(&self, step: Step) -> u64 {
        self.steps.lock().get(&step).map_or(0, |line| line.requests)
    }

    pub(crate) fn reset_requests(&self) {
        for line in self.steps.lock().values_mut() {
            line.requests = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_order_and_end() {
        let faults = Faults::default();
        let steps = [Step::Token, Step::GraphToken];
        faults.plan(Step::Token, Fault::InternalError, Some(2));
        faults.plan(Step::Token, Fault::Timeout, Some(1));
        faults.plan(Step::GraphToken, Fault::Dropped, None);
        let taken: Vec<_> = (0..5).map(|_| faults.pass(&steps).unwrap().1).collect();
        assert_eq!(
            taken,
            [
                Fault::InternalError,
                Fault::InternalError,
                Fault::Timeout,
                Fault::Dropped,
                Fault::Dropped
            ]
        );
        assert_eq!(faults.pass(&[Step::Token, Step::IntuneToken]), None);
        faults.clear(Step::GraphToken);
        assert_eq!(faults.pass(&steps), None);
        assert_eq!(faults.requests(Step::Token), 7);
        assert_eq!(faults.requests(Step::IntuneToken), 1);
        faults.reset_requests();
        assert_eq!(faults.requests(Step::Token), 0);
    }
}
