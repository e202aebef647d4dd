//! The parity ledger: what each server really set, item by item, and where the servers of a lane differ.

mod items;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tickbench_record::{Lane, Ledger, LedgerEntry, Reading};
use tickbench_stats::broken_promises;

use crate::table::{Table, escaped};
use crate::units::list;
use items::{Item, items};

/// What stands before an item in which the servers of a lane differ.
const DIFFERS: &str = "≠";

/// The ledger as report and command show it.
#[derive(Debug, Serialize)]
pub(crate) struct Parity {
    /// What the tuned lane promised and did not keep.
    broken: Vec<String>,
    /// Each lane with its table and the sentence on what differs in it.
    lanes: Vec<LaneParity>,
    /// Crates that the servers have in different versions.
    crates: String,
    /// How each was compiled and all crates that it names.
    builds: String,
}

#[derive(Debug, Serialize)]
struct LaneParity {
    lane: Lane,
    differs: String,
    table: String,
}

pub(crate) fn section(ledger: &Ledger) -> Parity {
    let of = |lane| ledger.entries.iter().filter(|entry| entry.lane == lane).collect::<Vec<_>>();
    Parity {
        broken: broken_promises(ledger),
        lanes: Lane::ALL
            .iter()
            .map(|&lane| (lane, of(lane)))
            .filter(|(_, entries)| !entries.is_empty())
            .map(|(lane, entries)| lane_parity(lane, &entries))
            .collect(),
        crates: crates(ledger).markdown(),
        builds: builds(ledger).markdown(),
    }
}

fn lane_parity(lane: Lane, entries: &[&LedgerEntry]) -> LaneParity {
    let items: Vec<Item> = items(entries);
    let heads = ["", "item"].into_iter().map(str::to_owned);
    let mut table =
        Table::new(heads.chain(entries.iter().map(|entry| escaped(&entry.server)))).texts(2 + entries.len());
    for item in &items {
        let mark = if item.differs() { DIFFERS } else { "" };
        let mut row = vec![mark.to_owned(), item.name.clone()];
        for value in &item.values {
            row.push(match &value.shown {
                Reading::Read(shown) => escaped(shown),
                Reading::Missing { missing } => table.missing(escaped(missing)),
            });
        }
        table.push(row);
    }
    let differing: Vec<&str> =
        items.iter().filter(|item| item.differs()).map(|item| item.name.as_str()).collect();
    let differs = match differing.as_slice() {
        _ if entries.len() < 2 => "There is one server in this lane, and nothing to set it against.".into(),
        [] => "The servers differ in nothing that was compared.".into(),
        some => format!("The servers differ in {}.", list(some)),
    };
    LaneParity { lane, differs, table: table.markdown() }
}

/// Each server once: its lanes are one program.
fn programs(ledger: &Ledger) -> Vec<&LedgerEntry> {
    let mut seen = BTreeSet::new();
    ledger.entries.iter().filter(|entry| seen.insert(&entry.server)).collect()
}

/// The versions of each crate in each program; those alone in which two programs differ.
fn crates(ledger: &Ledger) -> Table {
    let programs = programs(ledger);
    let mut versions: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for (at, program) in programs.iter().enumerate() {
        let named = program.executable.read().map(|executable| &executable.crates);
        for (name, version) in named.into_iter().flatten().filter_map(|text| text.split_once(' ')) {
            versions.entry(name).or_insert_with(|| vec![Vec::new(); programs.len()])[at].push(version);
        }
    }
    let mut table = Table::new(
        std::iter::once("crate".to_owned()).chain(programs.iter().map(|program| escaped(&program.server))),
    )
    .texts(1 + programs.len());
    for (name, of) in versions {
        let having: BTreeSet<&Vec<&str>> = of.iter().filter(|versions| !versions.is_empty()).collect();
        if having.len() > 1 {
            let shown =
                of.iter().map(|versions| if versions.is_empty() { "—".into() } else { versions.join(", ") });
            table.push(std::iter::once(name.to_owned()).chain(shown).collect());
        }
    }
    table
}

fn builds(ledger: &Ledger) -> Table {
    let mut table = Table::new([
        "server",
        "built by",
        "profile",
        "flags of the environment",
        "compiler, by the program's own word",
        "libraries mapped",
        "crates that its panics name",
    ])
    .texts(7);
    for program in programs(ledger) {
        let joined =
            |words: &[String]| if words.is_empty() { "—".into() } else { escaped(&words.join(", ")) };
        let mut row = vec![
            escaped(&program.server),
            format!("`{}`", program.build.command),
            joined(&program.build.profile),
            joined(&program.build.rustflags),
        ];
        match &program.executable {
            Reading::Read(executable) => row.extend([
                joined(&executable.compilers),
                joined(&executable.libraries),
                joined(&executable.crates),
            ]),
            Reading::Missing { missing } => {
                row.extend([(); 3].map(|()| table.missing(escaped(missing))));
            }
        }
        table.push(row);
    }
    table
}
