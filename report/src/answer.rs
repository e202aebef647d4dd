//! The answer: who is ahead, by how much, and where nobody is.

use tickbench_record::ScenarioKind;
use tickbench_stats::{CellSummary, Comparison, Metric, Paired, Place, Verdict};

use crate::reason::{self, absent};
use crate::run::{Question, Run, metric_words, said};
use crate::table::Table;
use crate::units::{ahead, list};

/// A metric of a question, and the places of the contestants in it.
struct Race<'a> {
    question: Question<'a>,
    metric: Metric,
    places: Vec<Place<'a>>,
}

fn races<'a>(run: &Run<'a>) -> Vec<Race<'a>> {
    // A curve of response against load has its own section: a line a rate would bury the answer.
    let kinds = ScenarioKind::ALL.iter().filter(|kind| **kind != ScenarioKind::Load);
    let asked = kinds.flat_map(|&kind| {
        run.questions(kind).into_iter().flat_map(|question| {
            Metric::primary(&question).into_iter().map(move |metric| (question.clone(), metric))
        })
    });
    asked
        .map(|(question, metric)| {
            let places = run.ranking(&question, metric);
            Race { question, metric, places }
        })
        .collect()
}

/// The first sentence: one that the numbers support.
pub(crate) fn headline(run: &Run) -> String {
    let contestants = run.contestants();
    let races: Vec<Race> = races(run).into_iter().filter(|race| race.places.len() > 1).collect();
    match contestants.as_slice() {
        [] => return "Nothing was measured to its end, so there is nothing to compare.".into(),
        [only] => return format!("Only {only} was measured, so nothing is compared."),
        _ if races.is_empty() => {
            return format!("No two servers have figures that can be compared: {}.", reason::of_run(run));
        }
        _ => {}
    }
    let figures = match races.len() {
        1 => "1 figure".to_string(),
        more => format!("{more} figures"),
    };
    let told_apart = races.iter().any(|race| race.places.iter().any(|place| place.rank > 1));
    if !told_apart {
        let needed = races.iter().map(|race| too_few(run, race)).collect::<Option<Vec<usize>>>();
        let of = if races.len() == 1 { "the one figure".into() } else { format!("any of the {figures}") };
        let between = format!("between {}, in {of} compared", list(&contestants));
        return match needed.and_then(|needed| needed.into_iter().max()) {
            Some(needed) => format!(
                "{} {} too few for a verdict {between}: it takes at least {needed}.",
                iterations(&races),
                if iterations(&races) == 1 { "iteration is" } else { "iterations are" }
            ),
            None => format!("No difference that this run can resolve {between}."),
        };
    }
    // Who is in front, in how many figures: one server, or several that cannot be told apart.
    let mut fronts: Vec<(usize, Vec<&str>)> = Vec::new();
    for front in races.iter().map(|race| in_front(&contestants, race)) {
        match fronts.iter_mut().find(|(_, known)| *known == front) {
            Some((count, _)) => *count += 1,
            None => fronts.push((1, front)),
        }
    }
    fronts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let parts: Vec<String> = fronts
        .iter()
        .enumerate()
        .map(|(at, (count, front))| {
            let of = if at == 0 { format!("{count} of {figures}") } else { count.to_string() };
            match front.as_slice() {
                [server] => format!("{server} is alone in front in {of}"),
                several if several.len() == contestants.len() => format!("in {of} none is surely in front"),
                several => format!("{}, not to be told apart, are in front in {of}", list(several)),
            }
        })
        .collect();
    let sentence = format!("{}.", parts.join("; "));
    // It may begin with a server's name, which stays as it is.
    match sentence.strip_prefix("in ") {
        Some(rest) => format!("In {rest}"),
        None => sentence,
    }
}

/// The servers of a race than which none is surely better, in the order of the contestants. No two of them can be told apart,
/// or one would be surely better: they are a tie group, or a part of one.
fn in_front<'a>(contestants: &[&'a str], race: &Race) -> Vec<&'a str> {
    let leads = |server: &&str| race.places.iter().any(|place| place.server == *server && place.rank == 1);
    contestants.iter().copied().filter(leads).collect()
}

fn iterations(races: &[Race]) -> usize {
    races.iter().flat_map(|race| &race.places).map(|place| place.estimate.iterations).max().unwrap_or(0)
}

/// How many iterations the corrected signed-rank test needs before it can reject at all, where there are fewer.
fn too_few(run: &Run, race: &Race) -> Option<usize> {
    let scenario = &race.question[0].cell.scenario;
    let of_scenario = |comparison: &&Comparison| {
        run.summary
            .cells
            .iter()
            .any(|cell| cell.cell.scenario == *scenario && cell.cell.question() == comparison.question)
    };
    let needed = Paired::fewest(run.summary.comparisons.iter().filter(of_scenario).count());
    let held = race.places.iter().map(|place| place.estimate.iterations).min()?;
    (held < needed).then_some(needed)
}

/// One sentence a question: what each of its figures says.
pub(crate) fn sentences(run: &Run) -> Vec<String> {
    let races = races(run);
    let questions = races.chunk_by(|a, b| a.question[0].cell == b.question[0].cell);
    questions
        .map(|of_question| {
            let label = run.label(&of_question[0].question[0].cell);
            let said = |race: &Race| match of_question {
                [_] => sentence(run, race),
                _ => format!("*{}:* {}", metric_words(race.metric).0, sentence(run, race)),
            };
            let fallen: Vec<&str> = of_question[0]
                .question
                .iter()
                .filter(|cell| cell.completed == 0)
                .map(|cell| cell.cell.server.as_str())
                .collect();
            let unsound = of_question[0].question.iter().filter(|cell| !cell.is_sound());
            let mut fallen = match fallen.as_slice() {
                [] => String::new(),
                some => format!(" **{} completed no iteration.**", list(some)),
            };
            for cell in unsound {
                fallen += &format!(
                    " **{} failed an audit ({}; see Audits).**",
                    cell.cell.server,
                    reason::failed(cell)
                );
            }
            format!("**{label}:** {}.{fallen}", of_question.iter().map(said).collect::<Vec<_>>().join("; "))
        })
        .collect()
}

fn sentence(run: &Run, race: &Race) -> String {
    let Race { question, metric, places } = race;
    let shown = |place: &Place| said(*metric, place.estimate.estimate);
    let contestants: Vec<&CellSummary> =
        question.iter().copied().filter(|cell| !run.is_baseline(&cell.cell.server)).collect();
    let [first, others @ ..] = places.as_slice() else {
        return format!("nobody has a figure that can be ranked; {}", reason::of_all(&contestants, *metric));
    };
    if others.is_empty() {
        // Of rows that failed or completed nothing the whole question says so.
        let shown_alone = |cell: &&CellSummary| cell.completed > 0 && cell.is_sound();
        let why = reason::of_all(&contestants.into_iter().filter(shown_alone).collect::<Vec<_>>(), *metric);
        let why = if why.is_empty() { why } else { format!("; {why}") };
        return format!("only {} has a figure that can be ranked, {}{why}", first.server, shown(first));
    }
    if too_few(run, race).is_some() {
        return format!(
            "{} has the best figure so far ({}), and there is no verdict",
            first.server,
            shown(first)
        );
    }
    // Surely behind the best figure, or told from some and not from others, or in front with it.
    let behind: Vec<&Place> = others.iter().filter(|place| !first.tied.contains(&place.server)).collect();
    let between: Vec<&str> = others
        .iter()
        .filter(|place| place.rank > 1 && first.tied.contains(&place.server))
        .map(|place| place.server)
        .collect();
    let front: Vec<&Place> = places.iter().filter(|place| place.rank == 1).collect();
    let named: Vec<String> =
        front.iter().map(|place| format!("{} ({})", place.server, shown(place))).collect();
    let named = list(&named.iter().map(String::as_str).collect::<Vec<_>>());
    if front.len() == places.len() {
        return format!("no difference that this run can resolve between {named}");
    }
    let leads: Vec<String> = match behind.as_slice() {
        [next, .., last] if behind.len() > 3 => {
            let ends = [("next", next), ("last", last)];
            let end =
                |(which, place): (&str, &&Place)| Some(format!("the {which}, {}", lead(run, race, place)?));
            ends.into_iter().filter_map(end).collect()
        }
        few => few.iter().filter_map(|place| lead(run, race, place)).collect(),
    };
    let leads = list(&leads.iter().map(String::as_str).collect::<Vec<_>>());
    let leads =
        if behind.is_empty() { String::new() } else { format!("{} is ahead of {leads}", first.server) };
    let mut parts: Vec<String> = Vec::new();
    if front.len() == 1 && !behind.is_empty() {
        parts.push(leads.replacen(first.server, &format!("{} ({})", first.server, shown(first)), 1));
    } else {
        parts.push(match front.as_slice() {
            [only] => format!("{} has the best figure ({})", only.server, shown(only)),
            _ => format!("{named} cannot be told apart"),
        });
        parts.extend(Some(leads).filter(|leads| !leads.is_empty()));
    }
    if !between.is_empty() {
        let verb = if between.len() == 1 { "is" } else { "are" };
        parts.push(format!("{} {verb} told from some and not from others", list(&between)));
    }
    parts.join(", and ")
}

/// By how much the best figure of a race leads that of a place.
fn lead(run: &Run, Race { question, metric, places }: &Race, place: &Place) -> Option<String> {
    let first = places.first()?.server;
    let (of, to) = if metric.higher_is_better() { (first, place.server) } else { (place.server, first) };
    let compared = run.summary.compared(&question[0].cell, *metric, of, to)?;
    Some(format!("{} by {}", place.server, ahead(&compared.ratio)))
}

/// Tie groups and figures, a row for each race.
pub(crate) fn ranking(run: &Run) -> String {
    let servers = run.servers();
    let heading = |server: &&str| {
        if run.is_baseline(server) { format!("*{server}*") } else { (*server).to_string() }
    };
    let headings = ["question", "figure"].map(String::from).into_iter().chain(servers.iter().map(heading));
    let mut table = Table::new(headings).texts(2);
    for race in races(run) {
        let mut row = vec![run.label(&race.question[0].cell), metric_words(race.metric).0.to_string()];
        for &server in &servers {
            row.push(standing(run, &race, server, &mut table));
        }
        table.push(row);
    }
    table.markdown()
}

fn standing(run: &Run, race: &Race, server: &str, table: &mut Table) -> String {
    let Some(cell) = race.question.iter().find(|cell| cell.cell.server == server) else {
        return table.missing("was not asked, or never ran");
    };
    let Some(estimate) = cell.figure(race.metric) else {
        return absent(table, cell, race.metric);
    };
    let shown = said(race.metric, estimate.estimate);
    let marked = |shown: String, table: &mut Table| match reason::no_place(cell, race.metric) {
        Some(why) => format!("{shown} {}", table.mark(why)),
        None => shown,
    };
    if run.is_baseline(server) {
        return marked(format!("*{shown}*"), table);
    }
    match race.places.iter().find(|place| place.server == server) {
        Some(place) if too_few(run, race).is_none() && is_contested(race) => {
            let letters = letters(&place.groups);
            if place.rank == 1 {
                format!("**{letters}** · {shown}")
            } else {
                format!("{letters} · {shown}")
            }
        }
        Some(_) => shown,
        None => marked(shown, table),
    }
}

/// Tie groups as letters: `a`, `ab`. After `z` comes `a2`.
fn letters(groups: &[usize]) -> String {
    let letter = |&group: &usize| {
        let letter = char::from(b'a' + (group % 26) as u8);
        if group < 26 { letter.to_string() } else { format!("{letter}{}", group / 26 + 1) }
    };
    groups.iter().map(letter).collect()
}

fn is_contested(race: &Race) -> bool {
    race.places.len() > 1
}

/// How many comparisons were made, and how many told servers apart.
pub(crate) fn tally(run: &Run) -> (usize, usize) {
    let comparisons = &run.summary.comparisons;
    let told_apart = comparisons.iter().filter(|one| one.verdict != Verdict::NoDifference).count();
    (comparisons.len(), told_apart)
}
