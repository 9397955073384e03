//! Three-valued logic (Kleene): yes, no, and unknown.

use super::ast::Comparison;

/// The result of a filter for one row. The order is that of Kleene's logic: `and`
/// is the smaller of two, `or` the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It does not match.
    No,
    /// The known facts do not decide it.
    Unknown,
    /// It matches.
    Yes,
}

impl Truth {
    /// The negation; that of unknown is unknown.
    pub(super) fn negated(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }

    /// Returns yes if it holds, else unknown.
    pub(super) fn yes_or_unknown(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::Unknown }
    }

    /// Returns the conjunction. Stops at the first no.
    pub(super) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut worst = Self::Yes;
        for part in parts {
            if part == Self::No {
                return part;
            }
            worst = worst.min(part);
        }
        worst
    }

    /// Returns the disjunction. Stops at the first yes.
    pub(super) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut best = Self::No;
        for part in parts {
            if part == Self::Yes {
                return part;
            }
            best = best.max(part);
        }
        best
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// A number of a row, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnownNumber {
    /// The number.
    Exactly(u64),
    /// A lower bound.
    AtLeast(u64),
    /// Sockets of this kind have no such number: no comparison matches.
    Nobody,
    /// The socket has such a number, which is unknown.
    Unknown,
}

impl KnownNumber {
    /// Returns the result of a comparison with `limit`.
    pub(super) fn compare(self, compare: Comparison, limit: u64) -> Truth {
        let bound = match self {
            Self::Exactly(value) => return compare.evaluate(value, limit).into(),
            Self::Nobody => return Truth::No,
            Self::Unknown => return Truth::Unknown,
            Self::AtLeast(bound) => bound,
        };
        match compare {
            Comparison::Greater | Comparison::GreaterOrEqual => {
                Truth::yes_or_unknown(compare.evaluate(bound, limit))
            }
            // A lower bound above the limit is never at or below it.
            Comparison::Less => Truth::yes_or_unknown(bound >= limit).negated(),
            Comparison::LessOrEqual | Comparison::Equal => {
                Truth::yes_or_unknown(bound > limit).negated()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Truth::{No, Unknown, Yes};

    #[test]
    fn the_tables_are_kleenes() {
        let and = |left, right| Truth::all([left, right]);
        let or = |left, right| Truth::any([left, right]);
        for (left, right, both, either) in [
            (Yes, Yes, Yes, Yes),
            (Yes, Unknown, Unknown, Yes),
            (Yes, No, No, Yes),
            (Unknown, Unknown, Unknown, Unknown),
            (Unknown, No, No, Unknown),
            (No, No, No, No),
        ] {
            assert_eq!(and(left, right), both);
            assert_eq!(and(right, left), both);
            assert_eq!(or(left, right), either);
            assert_eq!(or(right, left), either);
        }
        assert_eq!([Yes, Unknown, No].map(Truth::negated), [No, Unknown, Yes]);
    }

    #[test]
    fn a_lower_bound_decides_only_what_it_can() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
        for (compare, limit, truth) in [
            (Greater, 6, Yes),
            (Greater, 7, Unknown),
            (GreaterOrEqual, 7, Yes),
            (GreaterOrEqual, 8, Unknown),
            (Less, 7, No),
            (Less, 8, Unknown),
            (LessOrEqual, 6, No),
            (LessOrEqual, 7, Unknown),
            (Equal, 6, No),
            (Equal, 7, Unknown),
            (Equal, 8, Unknown),
        ] {
            let found = KnownNumber::AtLeast(7).compare(compare, limit);
            assert_eq!(found, truth, "{compare:?} {limit}");
            assert_eq!(KnownNumber::Unknown.compare(compare, limit), Unknown);
            assert_eq!(KnownNumber::Nobody.compare(compare, limit), No);
        }
    }
}
