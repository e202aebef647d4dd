//! Several cores for one list.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// Does the same to each item, several at a time, and keeps their order.
pub(crate) fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let work = &work;
    // Dealt out in turn: cells of one question stand side by side, and cost alike.
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let dealt = |first| items.iter().enumerate().skip(first).step_by(threads);
        let spawned: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || dealt(first).map(|(at, item)| (at, work(item))).collect::<Vec<_>>())
            })
            .collect();
        let joined =
            spawned.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}
