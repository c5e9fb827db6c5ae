//! Preconditions of requests. They are looked at after the rules: who is denied does not learn whether one holds.

use crate::model::Object;
use crate::status::Failure;

/// `ifGenerationMatch` and its like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The object has this generation; 0: there is none.
    pub generation: Option<i64>,
    /// It has another generation; 0: there is one.
    pub generation_not: Option<i64>,
    /// It has this metageneration.
    pub metageneration: Option<i64>,
    /// It has another metageneration.
    pub metageneration_not: Option<i64>,
}

impl Conditions {
    /// Sets the one that a query parameter names. Errors: the value is no number.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        let place = match name {
            "ifGenerationMatch" => &mut self.generation,
            "ifGenerationNotMatch" => &mut self.generation_not,
            "ifMetagenerationMatch" => &mut self.metageneration,
            "ifMetagenerationNotMatch" => &mut self.metageneration_not,
            _ => return Ok(()),
        };
        let number = value.parse().map_err(|_| Failure::Bad(format!("Invalid value for {name}: {value}")))?;
        *place = Some(number);
        Ok(())
    }

    /// Those that are set, by their parameters' names.
    pub fn named(&self) -> Vec<(String, i64)> {
        let all = [
            ("ifGenerationMatch", self.generation),
            ("ifGenerationNotMatch", self.generation_not),
            ("ifMetagenerationMatch", self.metageneration),
            ("ifMetagenerationNotMatch", self.metageneration_not),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// The same back again.
    pub fn of_named(named: &[(String, i64)]) -> Self {
        let mut conditions = Self::default();
        for (name, value) in named {
            let place = match name.as_str() {
                "ifGenerationMatch" => &mut conditions.generation,
                "ifGenerationNotMatch" => &mut conditions.generation_not,
                "ifMetagenerationMatch" => &mut conditions.metageneration,
                _ => &mut conditions.metageneration_not,
            };
            *place = Some(*value);
        }
        conditions
    }

    /// Checks them for a write.
    pub fn check(&self, object: Option<&Object>) -> Result<(), Failure> {
        self.check_or(object, || Failure::Precondition)
    }

    /// Checks those on the metageneration, which buckets have, too.
    pub fn check_metageneration(&self, metageneration: i64) -> Result<(), Failure> {
        let holds = self.metageneration.is_none_or(|wanted| wanted == metageneration)
            && self.metageneration_not.is_none_or(|other| other != metageneration);
        if holds { Ok(()) } else { Err(Failure::Precondition) }
    }

    /// Checks them for a read: one that asks for something else than the client has is answered as not modified.
    pub fn check_read(&self, object: &Object) -> Result<(), Failure> {
        self.check_or(Some(object), || Failure::NotModified)
    }

    fn check_or(&self, object: Option<&Object>, unmodified: fn() -> Failure) -> Result<(), Failure> {
        let generation = object.map_or(0, |object| object.generation);
        let metageneration = object.map(|object| object.metageneration);
        let matches = self.generation.is_none_or(|wanted| wanted == generation)
            && self.metageneration.is_none_or(|wanted| metageneration == Some(wanted));
        if !matches {
            return Err(Failure::Precondition);
        }
        let differs = self.generation_not.is_none_or(|other| other != generation)
            && self.metageneration_not.is_none_or(|other| metageneration != Some(other));
        if differs { Ok(()) } else { Err(unmodified()) }
    }
}
