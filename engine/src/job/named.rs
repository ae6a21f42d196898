//! Choices that have names: one list for command lines, JSON, menus and messages.

/// An enumeration whose values a person chooses from.
pub trait Named: Copy + PartialEq + 'static {
    /// Every value, in the order in which it is offered.
    const ALL: &'static [Self];

    /// As command lines and JSON spell it.
    fn name(self) -> &'static str;

    /// As menus show it.
    fn title(self) -> &'static str;

    /// One line that explains it, for help texts.
    fn about(self) -> &'static str;

    /// The value of a name.
    fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.name() == name)
    }
}

/// The names of some values as a sentence lists them: `euler or heun`.
pub fn list<T: Named>(values: impl IntoIterator<Item = T>) -> String {
    let names: Vec<&str> = values.into_iter().map(Named::name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_string(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Reads a name on a command line; the help lists all of them.
#[cfg(feature = "clap")]
pub fn parser<T: Named + Send + Sync>() -> impl clap::builder::TypedValueParser<Value = T> {
    use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};

    let possible = |value: &T| PossibleValue::new(value.name()).help(value.about());
    let names = PossibleValuesParser::new(T::ALL.iter().map(possible));
    names.try_map(|name| T::find(&name).ok_or("no such name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{ConditionKind, Guide, Objective, Sampler};

    fn names_are_found_and_unique<T: Named + std::fmt::Debug>() {
        for value in T::ALL {
            assert_eq!(T::find(value.name()), Some(*value));
            assert!(
                !value.title().is_empty() && !value.about().is_empty(),
                "{value:?}"
            );
        }
        assert_eq!(T::find("magic"), None);
    }

    #[test]
    fn every_value_is_found_by_its_name() {
        names_are_found_and_unique::<Sampler>();
        names_are_found_and_unique::<Objective>();
        names_are_found_and_unique::<Guide>();
        names_are_found_and_unique::<ConditionKind>();
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(list([Sampler::Euler]), "euler");
        assert_eq!(list([Sampler::Euler, Sampler::Heun]), "euler or heun");
        let all = list(Objective::Diffusion.samplers());
        assert_eq!(all, "dpmpp-2m, unipc or ddim");
    }
}
