//! What each connection was owed, and what it got.

use tickbench_record::{Account, Stage};

use crate::Failure;

/// One connection over which the client itself asks for what it gets.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    /// When something was first asked of it.
    pub(crate) asked_ns: u64,
    /// Whether it has ever brought anything.
    pub(crate) is_heard: bool,
    /// Messages of the window that it was owed.
    pub(crate) owed: u64,
    /// Of these, those that came.
    pub(crate) received: u64,
}

impl Ledger {
    /// One of which nothing was asked yet.
    pub(crate) const BLANK: Ledger = Ledger { asked_ns: u64::MAX, is_heard: false, owed: 0, received: 0 };

    /// The window opens: counts from here on.
    pub(crate) fn open(&mut self) {
        (self.owed, self.received) = (0, 0);
    }
}

/// The accounts of all connections, summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) owed: u64,
    pub(crate) received: u64,
    pub(crate) least_owed: u64,
    pub(crate) worst: Account,
}

impl Balance {
    pub(crate) fn of(accounts: &[Account]) -> Balance {
        let lost = |account: &Account| u128::from(account.owed.saturating_sub(account.received));
        // Shares compared without a division: a/b > c/d where a·d > c·b, and one that was owed nothing has lost nothing.
        let is_worse = |one: &Account, other: &Account| {
            lost(one) * u128::from(other.owed.max(1)) > lost(other) * u128::from(one.owed.max(1))
        };
        let worst =
            accounts.iter().copied().reduce(|worst, one| if is_worse(&one, &worst) { one } else { worst });
        Balance {
            owed: accounts.iter().map(|account| account.owed).sum(),
            received: accounts.iter().map(|account| account.received).sum(),
            least_owed: accounts.iter().map(|account| account.owed).min().unwrap_or(0),
            worst: worst.unwrap_or_default(),
        }
    }
}

/// A connection that was owed messages and got none is no slow one: the figures of the others say nothing of it.
pub(crate) fn check_silence(accounts: &[Account]) -> Result<(), Failure> {
    let mut silent = accounts.iter().filter(|account| account.owed > 0 && account.received == 0);
    let Some(first) = silent.next() else { return Ok(()) };
    Err(Failure::new(
        Stage::Audit,
        format!(
            "connection {} got none of the {} messages that the window owed it, and {} of the other {} connections got none of theirs either",
            first.connection,
            first.owed,
            silent.count(),
            accounts.len() - 1
        ),
    ))
}

/// Every one of `connections` must have brought something when the warm-up is over; `unheard` are those that have not.
pub(crate) fn check_heard(
    mut unheard: impl Iterator<Item = usize>,
    connections: usize,
) -> Result<(), Failure> {
    let Some(first) = unheard.next() else { return Ok(()) };
    let count = 1 + unheard.count();
    Err(Failure::new(
        Stage::Warmup,
        format!(
            "{count} of {connections} connections have had no message by the end of the warm-up; the first is {first}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(of: &[(u64, u64)]) -> Vec<Account> {
        let account = |(nth, &(owed, received)): (usize, &(u64, u64))| Account {
            connection: nth as u32,
            owed,
            received,
        };
        of.iter().enumerate().map(account).collect()
    }

    #[test]
    fn the_worst_is_who_lost_the_largest_share_and_the_first_of_those() {
        let balance = Balance::of(&accounts(&[(0, 0), (100, 90), (10, 8), (1000, 800), (3, 3)]));
        let worst = Account { connection: 2, owed: 10, received: 8 };
        assert_eq!(balance, Balance { owed: 1113, received: 901, least_owed: 0, worst });
        let whole = Balance::of(&accounts(&[(7, 7), (0, 0)]));
        assert_eq!(whole.worst.connection, 0);
    }

    #[test]
    fn who_got_nothing_is_named_and_who_was_owed_nothing_is_not() {
        assert!(check_silence(&accounts(&[(0, 0), (5, 1)])).is_ok());
        let failure = check_silence(&accounts(&[(5, 5), (4, 0), (0, 0), (3, 0)])).unwrap_err();
        assert_eq!(failure.stage, Stage::Audit);
        assert_eq!(
            failure.reason,
            "connection 1 got none of the 4 messages that the window owed it, and 1 of the other 3 connections got none of theirs either"
        );
    }

    #[test]
    fn who_was_never_heard_is_counted() {
        assert!(check_heard([].into_iter(), 10).is_ok());
        let failure = check_heard(600..1000, 1000).unwrap_err();
        assert_eq!(failure.stage, Stage::Warmup);
        assert_eq!(
            failure.reason,
            "400 of 1000 connections have had no message by the end of the warm-up; the first is 600"
        );
    }
}
