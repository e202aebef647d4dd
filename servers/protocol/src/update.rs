//! One market update: what a tick carries besides its stamps.

/// Decimals of every quantity (`bid_size`, `ask_size`): the integers on the wire are units of 10⁻⁴.
pub const SIZE_DECIMALS: u8 = 4;

/// An instrument of the generated feed. Its discriminant is the `symbol` field of the binary tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Symbol {
    /// Bitcoin in dollars, quoted in cents.
    BtcUsd = 0,
    /// Ether in dollars, quoted in cents.
    EthUsd = 1,
    /// Solana in dollars, quoted in tenths of a cent.
    SolUsd = 2,
    /// XRP in dollars, quoted in thousandths of a cent.
    XrpUsd = 3,
}

impl Symbol {
    /// Every symbol, in the order of its number.
    pub const ALL: [Symbol; 4] = [Symbol::BtcUsd, Symbol::EthUsd, Symbol::SolUsd, Symbol::XrpUsd];

    /// The symbol's name as JSON carries it.
    pub const fn name(self) -> &'static str {
        ["BTC-USD", "ETH-USD", "SOL-USD", "XRP-USD"][self as usize]
    }

    /// How many decimals the integer prices of this symbol have.
    pub const fn price_decimals(self) -> u8 {
        [2, 2, 3, 5][self as usize]
    }

    /// The price that the walk starts from, in units of the last decimal.
    pub(crate) const fn start_price(self) -> u32 {
        [6_412_345, 345_678, 152_345, 52_345][self as usize]
    }
}

/// Which side took the last trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Side {
    /// A buyer took the ask.
    Buy = 0,
    /// A seller took the bid.
    Sell = 1,
}

impl Side {
    pub(crate) const fn name(self) -> &'static str {
        ["buy", "sell"][self as usize]
    }
}

/// The top of one symbol's book after a trade. Prices are integers with [`Symbol::price_decimals`] decimals,
/// quantities integers with [`SIZE_DECIMALS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// The instrument.
    pub symbol: Symbol,
    /// Who took the last trade.
    pub side: Side,
    /// Best bid.
    pub bid: u32,
    /// Best ask, above the bid.
    pub ask: u32,
    /// Quantity at the best bid.
    pub bid_size: u32,
    /// Quantity at the best ask.
    pub ask_size: u32,
    /// Price of the last trade: the ask for a buy, the bid for a sell.
    pub last: u32,
}
