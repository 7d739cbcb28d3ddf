//! The process is killed in the middle of writing: what it acknowledged is
//! there, in whole batches.

#![expect(clippy::unwrap_used, reason = "functions of a test fail loudly")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use portreeve_domain::Timestamp;
use portreeve_store::{
    Batch, DeviceRow, InventoryState, OpenError, Phase, Store, StoreSettings, Writer,
    WriterSettings,
};

/// Where the store is; set in the process that writes and is killed.
const STORE: &str = "PORTREEVE_TEST_STORE";
/// After how many batches it ends by itself, if it is not killed.
const BATCHES: &str = "PORTREEVE_TEST_BATCHES";
const ROWS: usize = 60;

fn open(path: &Path) -> Store {
    Store::open(path, &StoreSettings::default()).unwrap()
}

/// All rows of batch `number`. Each batch replaces the one before as a whole.
fn batch(number: u32) -> Batch {
    let mut batch = Batch::default();
    batch.set_words(number - 1, vec![format!("word {number}")]);
    for key in 0..ROWS {
        batch.put_device(&DeviceRow {
            source: "intune",
            key: &format!("key {key}"),
            fetched_at: Timestamp::from_millis(1),
            epoch: number,
            device: &[3; 500],
        });
    }
    let state = InventoryState {
        phase: Phase::Full,
        epoch: number,
        cursor: Some(format!("page {number}")),
        started_at: Timestamp::from_millis(1),
        completed_at: None,
        read: 0,
        total: None,
    };
    batch.set_inventory("intune", state);
    batch.put_document("plugin", "k", number.to_string().into_bytes(), None);
    batch
}

/// The number of the batch that is stored, after seeing that all of it is.
fn stored(store: &Store) -> u32 {
    let Some(state) = store.inventory_state("intune").unwrap() else {
        assert_eq!(store.device_count("intune").unwrap(), 0);
        return 0;
    };
    let number = state.epoch;
    let mut rows = 0;
    store
        .read_devices(&mut |row| {
            assert_eq!(row.epoch, number);
            rows += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(rows, ROWS);
    assert_eq!(store.words().unwrap().len(), number as usize);
    let document = store.document("plugin", "k", Timestamp::default());
    let value = document.unwrap().unwrap().value;
    assert_eq!(value, number.to_string().into_bytes());
    number
}

/// Writes batches and says which are acknowledged, through the writer for every
/// second of them.
fn write_batches(path: &Path, batches: u32) {
    let store = Arc::new(open(path));
    let first = stored(&store) + 1;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let (handle, writer) =
        Writer::start(Arc::clone(&store), WriterSettings::default(), None).unwrap();
    let mut acknowledged = std::io::stdout();
    runtime.unwrap().block_on(async {
        for number in first..first + batches {
            if number % 2 == 0 {
                store.commit(&batch(number)).unwrap();
            } else {
                handle.commit(batch(number)).await.unwrap();
            }
            writeln!(acknowledged, "acknowledged {number}").unwrap();
            acknowledged.flush().unwrap();
        }
        writer.shutdown().await.unwrap();
    });
}

fn start(path: &Path, batches: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "what_is_acknowledged_survives_a_kill",
            "--exact",
            "--nocapture",
        ])
        .env(STORE, path)
        .env(BATCHES, batches.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn what_is_acknowledged_survives_a_kill() {
    if let (Some(path), Ok(batches)) = (std::env::var_os(STORE), std::env::var(BATCHES)) {
        write_batches(Path::new(&path), batches.parse().unwrap());
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("portreeve.redb");
    let mut killed = 0;
    for round in 0..20_u32 {
        // The last one ends by itself.
        let batches = if round == 19 { 5 } else { 10_000 };
        let mut child = start(&path, batches);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed somewhere in the batch after some more of them.
        let patience = 1 + round * 7 % 11;
        let (mut seen, mut acknowledged) = (0, 0);
        for line in lines.map_while(Result::ok) {
            let Some((_, number)) = line.split_once("acknowledged ") else {
                continue;
            };
            acknowledged = number.parse().unwrap();
            seen += 1;
            if seen == 1 && batches > 5 {
                // It is another process that has the store open.
                let opened = Store::open(&path, &StoreSettings::default());
                assert!(matches!(opened, Err(OpenError::InUse { .. })));
            }
            if seen == patience && round < 19 {
                for _ in 0..u64::from(round) * 40_000 {
                    std::hint::spin_loop();
                }
                child.kill().unwrap();
                killed += 1;
            }
        }
        child.wait().unwrap();
        assert!(acknowledged > 0, "round {round} wrote nothing");
        let store = open(&path);
        let stored = stored(&store);
        assert!(
            stored == acknowledged || stored == acknowledged + 1,
            "round {round}: {acknowledged} was acknowledged, {stored} is stored"
        );
    }
    assert_eq!(killed, 19);
}
