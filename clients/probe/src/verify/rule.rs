//! What is checked, by a name that stays: manifests declare deviations by it.

use clap::ValueEnum;

/// A rule of PROTOCOL.md, or some that fall together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rule {
    /// `GET /` names server and version
    Root,
    /// Another path is answered by 404
    UnknownPath,
    /// A path of WebSockets without an upgrade is answered by 400 to 499
    PlainGet,
    /// A wrong query is answered by 400 and a sentence
    Refusals,
    /// A stream has the bytes, the order and the due times that were asked for
    Ticks,
    /// A stream with a count ends with code 1000
    Count,
    /// A server that is late sends all that is due without pause
    OnTime,
    /// `sent_ns` is read from the clock
    Stamps,
    /// Ticks are sent when they are due, not a millisecond later
    FineTimer,
    /// A ping is answered while ticks and messages are sent
    PongWhileStreaming,
    /// A close frame is answered while ticks are sent
    CloseWhileStreaming,
    /// After its own close frame the server waits for the client's
    CloseWait,
    /// What a client sends where nothing is wanted is ignored
    ClientData,
    /// A flood lets other connections be served
    FloodLetsOthersRun,
    /// A capture is replayed
    Replay,
    /// Each of many connections is served
    Connections,
    /// Messages of all sizes come back
    Echo,
    /// A message in fragments comes back, control frames between them
    EchoFragments,
    /// Frames come back as they were sent, however they are cut into segments
    EchoSegments,
    /// A message of 16 MiB comes back
    #[value(name = "echo-16mib")]
    Echo16Mib,
    /// What was sent before a close frame comes back before its answer
    EchoBeforeClose,
    /// A ping is answered
    Ping,
    /// A close frame is answered, and the connection ends
    Close,
    /// An unmasked frame of a client ends the connection
    UnmaskedFrames,
    /// What is published reaches each subscriber
    Relay,
    /// A subscriber that does not read is closed with code 1008
    SlowSubscriber,
}

impl Rule {
    /// Its name, as manifests and `--only` write it.
    pub(crate) fn id(self) -> String {
        let value = self.to_possible_value().expect("no rule is hidden");
        value.get_name().to_owned()
    }

    /// Whether figures would be false, or of something else, where it does not hold: no server is excused from it.
    pub(crate) fn is_essential(self) -> bool {
        match self {
            Rule::Refusals
            | Rule::Ticks
            | Rule::OnTime
            | Rule::Stamps
            | Rule::Replay
            | Rule::Connections
            | Rule::Echo
            | Rule::EchoFragments
            | Rule::EchoSegments
            | Rule::Ping
            | Rule::Relay => true,
            Rule::Root
            | Rule::UnknownPath
            | Rule::PlainGet
            | Rule::Count
            | Rule::FineTimer
            | Rule::PongWhileStreaming
            | Rule::CloseWhileStreaming
            | Rule::CloseWait
            | Rule::ClientData
            | Rule::FloodLetsOthersRun
            | Rule::Echo16Mib
            | Rule::EchoBeforeClose
            | Rule::Close
            | Rule::UnmaskedFrames
            | Rule::SlowSubscriber => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the table in PROTOCOL.md: names, and whether figures rest on them.
    fn documented() -> Vec<(String, bool)> {
        let text = include_str!("../../../../servers/PROTOCOL.md");
        let (_, table) = text.split_once("| Check | Rule | Figures rest on it |").unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let row = |line: &str| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let essential = cells[3] == "yes";
            let names: Vec<_> = cells[1].split(", ").map(|name| (name.replace('`', ""), essential)).collect();
            names
        };
        rows.flat_map(row).collect()
    }

    #[test]
    fn every_rule_is_in_the_contract() {
        let documented = documented();
        for rule in Rule::value_variants() {
            assert!(documented.contains(&(rule.id(), rule.is_essential())), "{rule:?} in {documented:?}");
        }
        // The rest are of the process, and the harness's to check.
        assert_eq!(documented.len(), Rule::value_variants().len() + 6);
    }
}
