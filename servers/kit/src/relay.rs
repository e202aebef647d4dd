//! Publish and subscribe inside one server: a queue that all subscribers read, each at its own place.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::Notify;

/// Messages that a subscriber may be behind the publisher.
pub const MAX_QUEUED_MESSAGES: usize = 4096;

/// Bytes that a subscriber may be behind, one message aside.
pub const MAX_QUEUED_BYTES: usize = 64 << 20;

/// Messages after which a publisher lets the subscribers run: far less than they may be behind.
const YIELD_MESSAGES: u64 = 64;

/// Hands each published message to every subscriber. `M` is the framework's own message, cheap to clone.
///
/// A message is kept until each who subscribed before it has taken it or is gone, and no longer: without subscribers nothing is kept.
#[derive(Debug)]
pub struct Hub<M> {
    queue: Mutex<Queue<M>>,
    published: Notify,
}

#[derive(Debug)]
struct Queue<M> {
    messages: VecDeque<Queued<M>>,
    bytes: usize,
    /// The position of the first of `messages` among all that were published.
    first: u64,
    subscribers: usize,
}

#[derive(Debug)]
struct Queued<M> {
    message: M,
    bytes: usize,
    /// Subscribers that have not taken it yet. Each takes what it subscribed to in order, so that the first of the queue has the
    /// fewest.
    awaited_by: usize,
}

/// The subscriber fell further behind than [`MAX_QUEUED_MESSAGES`] or [`MAX_QUEUED_BYTES`]: close it with code 1008.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("subscriber too slow")]
pub struct TooSlow;

impl<M> Hub<M> {
    /// A hub without subscribers.
    pub fn new() -> Arc<Hub<M>> {
        let queue = Queue { messages: VecDeque::new(), bytes: 0, first: 0, subscribers: 0 };
        Arc::new(Hub { queue: Mutex::new(queue), published: Notify::new() })
    }

    /// Hands on `message`, which is `bytes` long.
    pub async fn publish(&self, message: M, bytes: usize) {
        let published = self.queue().push(message, bytes);
        self.published.notify_waiters();
        if published.is_multiple_of(YIELD_MESSAGES) {
            tokio::task::yield_now().await;
        }
    }

    /// A subscription to all that is published from now on.
    pub fn subscribe(self: &Arc<Self>) -> Subscription<M> {
        let mut queue = self.queue();
        queue.subscribers += 1;
        Subscription { hub: Arc::clone(self), next: queue.end() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<M>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Queue<M> {
    /// The position behind the last message.
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    fn push(&mut self, message: M, bytes: usize) -> u64 {
        self.messages.push_back(Queued { message, bytes, awaited_by: self.subscribers });
        self.bytes += bytes;
        while self.messages.len() > MAX_QUEUED_MESSAGES
            || (self.bytes > MAX_QUEUED_BYTES && self.messages.len() > 1)
        {
            self.drop_first();
        }
        self.drop_taken();
        self.end()
    }

    /// One subscriber takes the message at `position`; `None` where it is not published yet.
    fn take(&mut self, position: u64) -> Result<Option<M>, TooSlow>
    where
        M: Clone,
    {
        let index = position.checked_sub(self.first).ok_or(TooSlow)?;
        let Some(queued) = self.messages.get_mut(index as usize) else { return Ok(None) };
        queued.awaited_by -= 1;
        let message = queued.message.clone();
        self.drop_taken();
        Ok(Some(message))
    }

    /// A subscriber is gone that was to get the message at `position` next.
    fn leave(&mut self, position: u64) {
        self.subscribers -= 1;
        let taken = position.saturating_sub(self.first) as usize;
        self.messages.iter_mut().skip(taken).for_each(|queued| queued.awaited_by -= 1);
        self.drop_taken();
    }

    fn drop_taken(&mut self) {
        while self.messages.front().is_some_and(|queued| queued.awaited_by == 0) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let dropped = self.messages.pop_front().expect("it is not empty");
        self.bytes -= dropped.bytes;
        self.first += 1;
    }
}

/// One subscriber's place in the queue.
#[derive(Debug)]
pub struct Subscription<M> {
    hub: Arc<Hub<M>>,
    next: u64,
}

impl<M: Clone> Subscription<M> {
    /// The next message. Given up while it waits, it loses nothing.
    pub async fn next(&mut self) -> Result<M, TooSlow> {
        let hub = Arc::clone(&self.hub);
        loop {
            // Made before looking, so that a message that is published in between is not missed.
            let published = hub.published.notified();
            if let Some(message) = self.try_next()? {
                return Ok(message);
            }
            published.await;
        }
    }

    /// The next message where there is one already.
    pub fn try_next(&mut self) -> Result<Option<M>, TooSlow> {
        let message = self.hub.queue().take(self.next)?;
        self.next += u64::from(message.is_some());
        Ok(message)
    }
}

impl<M> Drop for Subscription<M> {
    fn drop(&mut self) {
        self.hub.queue().leave(self.next);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;

    #[tokio::test]
    async fn each_subscriber_gets_what_was_published_after_it_came() {
        let hub = Hub::new();
        hub.publish("before", 6).await;
        let mut early = hub.subscribe();
        hub.publish("one", 3).await;
        let mut late = hub.subscribe();
        hub.publish("two", 3).await;
        assert_eq!((early.next().await, early.next().await), (Ok("one"), Ok("two")));
        assert_eq!((late.next().await, late.try_next()), (Ok("two"), Ok(None)));
    }

    #[tokio::test]
    async fn a_subscriber_that_waits_is_woken() {
        let hub = Hub::new();
        let mut subscription = hub.subscribe();
        let waiting = tokio::spawn(async move { subscription.next().await });
        tokio::task::yield_now().await;
        hub.publish(7, 1).await;
        assert_eq!(waiting.await.unwrap(), Ok(7));
    }

    #[tokio::test]
    async fn a_slow_subscriber_is_told_and_the_queue_stays_bounded() {
        let hub = Hub::new();
        let (mut by_count, limit) = (hub.subscribe(), MAX_QUEUED_MESSAGES as u64);
        for number in 0..limit {
            hub.publish(number, 1).await;
        }
        assert_eq!(by_count.try_next(), Ok(Some(0)));
        hub.publish(limit, 1).await;
        hub.publish(limit + 1, 1).await;
        assert_eq!(by_count.try_next(), Err(TooSlow));

        let mut by_bytes = hub.subscribe();
        hub.publish(1, MAX_QUEUED_BYTES).await;
        hub.publish(2, MAX_QUEUED_BYTES + 1).await;
        assert_eq!(by_bytes.try_next(), Err(TooSlow));
        assert_eq!(hub.queue().messages.len(), 1);
    }

    /// What is still held of messages, each the `Arc` that was published.
    fn held(messages: &[Weak<u64>]) -> usize {
        messages.iter().filter(|message| message.strong_count() > 0).count()
    }

    async fn publish(hub: &Hub<Arc<u64>>, count: u64) -> Vec<Weak<u64>> {
        let mut published = Vec::new();
        for number in 0..count {
            let message = Arc::new(number);
            published.push(Arc::downgrade(&message));
            hub.publish(message, 1).await;
        }
        published
    }

    #[tokio::test]
    async fn nothing_is_kept_that_no_subscriber_still_needs() {
        let hub = Hub::new();
        assert_eq!(held(&publish(&hub, 3).await), 0, "nobody subscribed");

        let (mut quick, mut slow) = (hub.subscribe(), hub.subscribe());
        let published = publish(&hub, 3).await;
        for _ in 0..3 {
            quick.try_next().unwrap().unwrap();
        }
        assert_eq!(held(&published), 3, "one has taken nothing yet");
        slow.try_next().unwrap().unwrap();
        assert_eq!(held(&published), 2, "all have taken the first");
        let late = hub.subscribe();
        drop(slow);
        assert_eq!(held(&published), 0, "who needed the others is gone");

        let published = publish(&hub, 2).await;
        quick.try_next().unwrap().unwrap();
        drop(late);
        assert_eq!(held(&published), 1);
        drop(quick);
        assert_eq!(held(&published), 0);
        assert_eq!(hub.queue().bytes, 0);
    }

    #[tokio::test]
    async fn one_that_was_too_slow_leaves_the_others_theirs() {
        let hub = Hub::new();
        let mut slow = hub.subscribe();
        publish(&hub, 2).await;
        let mut quick = hub.subscribe();
        let published = publish(&hub, MAX_QUEUED_MESSAGES as u64).await;
        assert_eq!(slow.try_next(), Err(TooSlow));
        drop(slow);
        assert_eq!(held(&published), MAX_QUEUED_MESSAGES);
        for number in 0..MAX_QUEUED_MESSAGES as u64 {
            assert_eq!(quick.try_next(), Ok(Some(Arc::new(number))));
        }
        assert_eq!((quick.try_next(), held(&published)), (Ok(None), 0));
    }
}
