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
#[derive(Debug)]
pub struct Hub<M> {
    queue: Mutex<Queue<M>>,
    published: Notify,
}

#[derive(Debug)]
struct Queue<M> {
    messages: VecDeque<(M, usize)>,
    bytes: usize,
    /// The position of the first of `messages` among all that were published.
    first: u64,
}

/// The subscriber fell further behind than [`MAX_QUEUED_MESSAGES`] or [`MAX_QUEUED_BYTES`]: close it with code 1008.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("subscriber too slow")]
pub struct TooSlow;

impl<M: Clone> Hub<M> {
    /// A hub without subscribers.
    pub fn new() -> Arc<Hub<M>> {
        let queue = Queue { messages: VecDeque::new(), bytes: 0, first: 0 };
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
        let next = self.queue().end();
        Subscription { hub: Arc::clone(self), next }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<M>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Clone> Queue<M> {
    /// The position behind the last message.
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    fn push(&mut self, message: M, bytes: usize) -> u64 {
        self.messages.push_back((message, bytes));
        self.bytes += bytes;
        while self.messages.len() > MAX_QUEUED_MESSAGES
            || (self.bytes > MAX_QUEUED_BYTES && self.messages.len() > 1)
        {
            let (_, bytes) = self.messages.pop_front().expect("it is not empty");
            self.bytes -= bytes;
            self.first += 1;
        }
        self.end()
    }

    fn message(&self, position: u64) -> Result<Option<M>, TooSlow> {
        let index = position.checked_sub(self.first).ok_or(TooSlow)?;
        Ok(self.messages.get(index as usize).map(|(message, _)| message.clone()))
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
        let message = self.hub.queue().message(self.next)?;
        self.next += u64::from(message.is_some());
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
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
}
