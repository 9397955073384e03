//! Decides whether an action is carried out, confirmed or refused. Pure.

use super::Order;
use crate::model::caution::Demand;

/// Input of the decision.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// Number of targets.
    pub(super) targets: usize,
    /// Confirmation to type, if one key would not be enough on the screen.
    pub(super) demand: Option<Demand>,
    /// The number that names the first target: its pid or port.
    pub(super) single: u32,
    /// True if a user can be asked.
    pub(super) attended: bool,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is nothing to do it to.
    NothingLeft,
    /// A dry run.
    OnlyTold,
    /// There are more targets than were allowed.
    TooMany,
    /// Do it.
    Go,
    /// Requires a yes.
    Ask,
    /// Requires this number.
    Type(String),
    /// A yes is missing, and no user can give it.
    NeedsYes,
    /// This number is missing, and no user can type it.
    NeedsNumber(String),
    /// Another number was given than this.
    WrongNumber { given: u32, number: String },
}

pub(super) fn judge(case: &Case, order: &Order) -> Verdict {
    if case.targets == 0 {
        return Verdict::NothingLeft;
    }
    if order.dry_run {
        return Verdict::OnlyTold;
    }
    if case.targets > order.most {
        return Verdict::TooMany;
    }
    let demanded = case.demand.as_ref().map(ToString::to_string);
    if let Some(given) = order.confirm {
        // A given number must name exactly these targets.
        let number = demanded.unwrap_or_else(|| case.single.to_string());
        return if given.to_string() == number {
            Verdict::Go
        } else {
            Verdict::WrongNumber { given, number }
        };
    }
    match (demanded, case.attended) {
        (Some(number), true) => Verdict::Type(number),
        (Some(number), false) => Verdict::NeedsNumber(number),
        (None, _) if order.yes => Verdict::Go,
        (None, true) => Verdict::Ask,
        (None, false) => Verdict::NeedsYes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::caution::Caution;

    #[test]
    fn what_is_asked_refused_and_done() {
        let plain = Order::default();
        let yes = Order { yes: true, ..plain };
        let confirm = |number| Order {
            confirm: Some(number),
            ..plain
        };
        let dry_run = Order {
            dry_run: true,
            ..yes
        };
        let most = |most| Order { most, ..yes };
        let three = vec![Caution::Several(3)];
        let listener = vec![Caution::Listener];
        let number = |text: &str| text.to_owned();
        // Targets, cautions, interactive, options.
        let cases = [
            (0, vec![], true, yes, Verdict::NothingLeft),
            (0, vec![], false, dry_run, Verdict::NothingLeft),
            (1, vec![], false, dry_run, Verdict::OnlyTold),
            (900, three.clone(), false, dry_run, Verdict::OnlyTold),
            (65, three.clone(), true, yes, Verdict::TooMany),
            (3, three.clone(), true, most(2), Verdict::TooMany),
            (65, three.clone(), false, confirm(3), Verdict::TooMany),
            (1, vec![], true, plain, Verdict::Ask),
            (1, vec![], false, plain, Verdict::NeedsYes),
            (1, vec![], true, yes, Verdict::Go),
            (1, vec![], false, yes, Verdict::Go),
            (1, vec![], false, confirm(443), Verdict::Go),
            (
                1,
                vec![],
                false,
                confirm(444),
                Verdict::WrongNumber {
                    given: 444,
                    number: number("443"),
                },
            ),
            // A yes is not enough where one key is not.
            (1, listener.clone(), true, yes, Verdict::Type(number("443"))),
            (
                1,
                listener.clone(),
                false,
                yes,
                Verdict::NeedsNumber(number("443")),
            ),
            (1, listener, false, confirm(443), Verdict::Go),
            (3, three.clone(), true, plain, Verdict::Type(number("3"))),
            (
                3,
                three.clone(),
                false,
                yes,
                Verdict::NeedsNumber(number("3")),
            ),
            (3, three.clone(), false, confirm(3), Verdict::Go),
            (
                3,
                three,
                false,
                confirm(2),
                Verdict::WrongNumber {
                    given: 2,
                    number: number("3"),
                },
            ),
        ];
        for (targets, cautions, attended, order, expected) in cases {
            let case = Case {
                targets,
                demand: Demand::of(cautions, 443),
                single: 443,
                attended,
            };
            assert_eq!(judge(&case, &order), expected, "{case:?} {order:?}");
        }
    }
}
