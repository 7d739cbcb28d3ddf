//! `portreeve policy replay`

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::ExitCode;

use portreeve_domain::Timestamp;
use portreeve_faces::TallyView;
use portreeve_gateway::trial::{Replay, Replayed, Tally};
use portreeve_store::decisions::{DIRECTORY_NAME, Filter, Found, Reader, Record};
use serde_json::{Value, json};

use super::impact::{bar, tallied};
use super::number;
use crate::cli::PolicyReplay;
use crate::config::{CandidateConfig, Config, Problem, Problems, ProcessEnvironment};
use crate::{assemble, output};

/// Decisions that are read before they are decided about again.
const SLICE: usize = 1024;

/// Slices that wait.
const QUEUE: usize = 4;

pub(super) async fn run(config: &Config, command: &PolicyReplay) -> anyhow::Result<ExitCode> {
    let Some(store) = &config.store else {
        let problem = Problem::nowhere("the configuration has no place for decisions");
        let hint = "add `[store]` with `directory = \"/var/lib/portreeve\"`";
        return Err(Problems::from(problem.hint(hint)).into());
    };
    let candidate = CandidateConfig::load(&command.file, &ProcessEnvironment)?;
    let runtime = assemble::runtime(config)?;
    let policies = assemble::policies(candidate.deciding(), &runtime).await?;
    let replay = Replay::new(assemble::chains(candidate.deciding(), policies))?;
    let now = Timestamp::now();
    let filter = Filter {
        since: Some(command.since.from(now)),
        until: command.until.map(|moment| moment.from(now)),
        ..Filter::default()
    };
    let reader = Reader::new(&store.directory.0.join(DIRECTORY_NAME));
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<Record>>(QUEUE);
    let reading = tokio::task::spawn_blocking(move || {
        portreeve_store::give_way();
        let mut slice = Vec::new();
        let read = reader.read_all(&filter, &mut |found| {
            if let Found::Decision { record, .. } = found {
                slice.push(record.clone());
            }
            if slice.len() < SLICE {
                return ControlFlow::Continue(());
            }
            match sender.blocking_send(std::mem::take(&mut slice)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        // Nobody takes it when the command is ending.
        let _ = sender.blocking_send(slice);
        read.map(drop)
    });
    let bar = bar(command.arguments.json);
    let mut told = Told::default();
    while let Some(slice) = receiver.recv().await {
        for record in &slice {
            let replayed = replay.decide(record).await;
            told.note(&replay, record, &replayed);
        }
        bar.inc(slice.len() as u64);
    }
    reading.await??;
    bar.finish_and_clear();
    let document = told.document();
    if command.arguments.json {
        output::json(&document)?;
    } else {
        for line in lines(&document) {
            output::line(line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What became of all decisions.
#[derive(Default)]
struct Told {
    decisions: u64,
    same_chain: u64,
    tally: Tally,
    /// How many could not be decided again, by the reason.
    not: BTreeMap<String, u64>,
}

impl Told {
    fn note(&mut self, replay: &Replay, record: &Record, replayed: &Replayed) {
        self.decisions += 1;
        self.same_chain += u64::from(replay.is_same_chain(record));
        replay.note(&mut self.tally, record, replayed);
        if let Replayed::Not(why) = replayed {
            *self.not.entry(why.to_string()).or_default() += 1;
        }
    }

    fn document(&self) -> Value {
        let tally = serde_json::to_value(TallyView::of(&self.tally)).unwrap_or_default();
        json!({
            "decisions": self.decisions,
            "same_chain": self.same_chain,
            "replayed": tally,
            "not_replayed": self.not,
        })
    }
}

fn lines(document: &Value) -> Vec<String> {
    let tally = document.get("replayed").unwrap_or(&Value::Null);
    let mut lines = vec![format!(
        "{} decisions in the log, {} decided again, {} of them with another verdict",
        number(document, "decisions"),
        number(tally, "compared"),
        number(tally, "changed")
    )];
    lines.extend(tallied(tally));
    if let Some(not) = document.get("not_replayed").and_then(Value::as_object) {
        let not = not.iter();
        lines.extend(not.map(|(why, count)| format!("{count} not decided again: {why}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_told() {
        let document = json!({
            "decisions": 1000, "same_chain": 0,
            "replayed": {
                "compared": 990, "changed": 5, "other_obligations": 0,
                "transitions": [{"from": "deny", "to": "permit", "count": 5,
                    "reasons": [{"code": "compliant", "count": 5}], "examples": []}],
            },
            "not_replayed": {"the log does not have the fact `posture`": 10},
        });
        insta::assert_snapshot!(lines(&document).join("\n"), @r"
        1000 decisions in the log, 990 decided again, 5 of them with another verdict
          deny to permit: 5
            compliant: 5
        10 not decided again: the log does not have the fact `posture`
        ");
    }
}
