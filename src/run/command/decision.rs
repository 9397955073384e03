//! Decides whether an action is carried out, confirmed or refused. Pure.

use super::ActionOptions;
use crate::model::risk::TypedConfirmation;

/// Input of the decision.
#[derive(Clone, Debug)]
pub(super) struct DecisionInput {
    /// Number of targets.
    pub(super) targets: usize,
    /// Confirmation to type, if one key would not be enough on the screen.
    pub(super) confirmation: Option<TypedConfirmation>,
    /// The number that names the first target: its pid or port.
    pub(super) first_number: u32,
    /// True if a user can be asked.
    pub(super) is_interactive: bool,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// There is nothing to do it to.
    NoTargets,
    /// A dry run.
    DryRun,
    /// There are more targets than were allowed.
    TooMany,
    /// Do it.
    Proceed,
    /// Requires a yes.
    AskYes,
    /// Requires this number.
    AskNumber(String),
    /// A yes is missing, and no user can give it.
    NeedsYes,
    /// This number is missing, and no user can type it.
    NeedsNumber(String),
    /// Another number was given than this.
    WrongNumber { given: u32, number: String },
}

pub(super) fn decide(case: &DecisionInput, order: &ActionOptions) -> Decision {
    if case.targets == 0 {
        return Decision::NoTargets;
    }
    if order.dry_run {
        return Decision::DryRun;
    }
    if case.targets > order.max_targets {
        return Decision::TooMany;
    }
    let demanded = case.confirmation.as_ref().map(ToString::to_string);
    if let Some(given) = order.confirm {
        // A given number must name exactly these targets.
        let number = demanded.unwrap_or_else(|| case.first_number.to_string());
        return if given.to_string() == number {
            Decision::Proceed
        } else {
            Decision::WrongNumber { given, number }
        };
    }
    match (demanded, case.is_interactive) {
        (Some(number), true) => Decision::AskNumber(number),
        (Some(number), false) => Decision::NeedsNumber(number),
        (None, _) if order.yes => Decision::Proceed,
        (None, true) => Decision::AskYes,
        (None, false) => Decision::NeedsYes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::risk::Risk;

    #[test]
    fn every_input_has_its_decision() {
        let plain = ActionOptions::default();
        let yes = ActionOptions { yes: true, ..plain };
        let confirm = |number| ActionOptions {
            confirm: Some(number),
            ..plain
        };
        let dry_run = ActionOptions {
            dry_run: true,
            ..yes
        };
        let most = |most| ActionOptions {
            max_targets: most,
            ..yes
        };
        let three = vec![Risk::MultipleTargets(3)];
        let listener = vec![Risk::Listens];
        let number = |text: &str| text.to_owned();
        // Targets, cautions, interactive, options.
        let cases = [
            (0, vec![], true, yes, Decision::NoTargets),
            (0, vec![], false, dry_run, Decision::NoTargets),
            (1, vec![], false, dry_run, Decision::DryRun),
            (900, three.clone(), false, dry_run, Decision::DryRun),
            (65, three.clone(), true, yes, Decision::TooMany),
            (3, three.clone(), true, most(2), Decision::TooMany),
            (65, three.clone(), false, confirm(3), Decision::TooMany),
            (1, vec![], true, plain, Decision::AskYes),
            (1, vec![], false, plain, Decision::NeedsYes),
            (1, vec![], true, yes, Decision::Proceed),
            (1, vec![], false, yes, Decision::Proceed),
            (1, vec![], false, confirm(443), Decision::Proceed),
            (
                1,
                vec![],
                false,
                confirm(444),
                Decision::WrongNumber {
                    given: 444,
                    number: number("443"),
                },
            ),
            // A yes is not enough where one key is not.
            (
                1,
                listener.clone(),
                true,
                yes,
                Decision::AskNumber(number("443")),
            ),
            (
                1,
                listener.clone(),
                false,
                yes,
                Decision::NeedsNumber(number("443")),
            ),
            (1, listener, false, confirm(443), Decision::Proceed),
            (
                3,
                three.clone(),
                true,
                plain,
                Decision::AskNumber(number("3")),
            ),
            (
                3,
                three.clone(),
                false,
                yes,
                Decision::NeedsNumber(number("3")),
            ),
            (3, three.clone(), false, confirm(3), Decision::Proceed),
            (
                3,
                three,
                false,
                confirm(2),
                Decision::WrongNumber {
                    given: 2,
                    number: number("3"),
                },
            ),
        ];
        for (targets, cautions, attended, order, expected) in cases {
            let case = DecisionInput {
                targets,
                confirmation: TypedConfirmation::from_risks(cautions, 443),
                first_number: 443,
                is_interactive: attended,
            };
            assert_eq!(decide(&case, &order), expected, "{case:?} {order:?}");
        }
    }
}
