//! Realtime Database rules as a [`Policy`].

use crate::coverage::Sites;
use crate::decision::Step;
use crate::policy::{Known, Policy, Who};
use crate::source::Source;
use crate::trace::Trace;

use super::decide::Asking;
use super::partial::{Asked, Found, Partial, Place};
use super::request::{AuthVariable, Caller};
use super::{Observe, Operation, Ruleset, limits};

impl Policy for Ruleset {
    type Request<'r> = Operation<'r>;
    type Need = Place;
    type Fact = Found;

    const FACTS_MAX: usize = 1000;

    fn source(&self) -> &Source {
        &self.source
    }

    fn sites(&self) -> Sites {
        Ruleset::sites(self)
    }

    fn decide(
        &self,
        who: &Who<'_>,
        request: &Operation<'_>,
        known: &Known<Self>,
        trace: Option<&mut Trace>,
    ) -> Step<Place> {
        let caller = who.auth.map(Caller::new);
        let auth = caller.as_ref().map(AuthVariable::Caller);
        let (asked, find) = (Asked::default(), |place: &Place| known.get(place));
        let decision = {
            let partial = Partial::new(&find, &asked);
            let now_ms = who.time.micros().div_euclid(1000);
            let (asking, observe) =
                (Asking { operation: request, auth, now_ms }, Observe { trace, touched: None });
            self.decide_for(asking, partial.tree(), &limits(), observe, &|| asked.is_empty())
        };
        let needs = asked.into_places();
        if needs.is_empty() { Step::Decided(decision) } else { Step::Needs(needs) }
    }
}
