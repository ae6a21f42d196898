//! What other programs write into their pictures: prompt, seed and steps, as far as they say.
//!
//! The keys are those that the programs write today: `parameters` (A1111, Fooocus, SwarmUI),
//! `prompt` (ComfyUI's graph), `invokeai_metadata`.

use serde_json::Value;

/// Longest text that is looked into.
const LONGEST: usize = 16 << 20;

/// Most links that are followed through a graph.
const MOST_LINKS: usize = 32;

/// Settings of another program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreign {
    /// The program, or the form that several share.
    pub tool: &'static str,
    /// The prompt.
    pub prompt: String,
    /// The negative prompt.
    pub negative: String,
    /// The seed.
    pub seed: Option<u64>,
    /// Sampling steps.
    pub steps: Option<usize>,
    /// Guidance weight.
    pub guidance: Option<f64>,
}

impl Foreign {
    /// Looks through a picture's texts.
    pub(super) fn find(texts: &[(String, String)]) -> Option<Self> {
        let text = |wanted: &str| {
            texts
                .iter()
                .find(|(keyword, text)| keyword == wanted && text.len() <= LONGEST)
                .map(|(_, text)| text)
        };
        let json =
            |wanted: &str| text(wanted).and_then(|text| serde_json::from_str::<Value>(text).ok());
        if let Some(value) = json("parameters") {
            if let Some(inner) = value.get("sui_image_params") {
                return Self::flat("SwarmUI", inner);
            }
            return Self::flat("Fooocus", &value);
        }
        text("parameters")
            .and_then(|text| Self::lines(text))
            .or_else(|| json("invokeai_metadata").and_then(|value| Self::flat("InvokeAI", &value)))
            .or_else(|| json("prompt").and_then(|graph| Self::graph(&graph)))
    }

    /// Programs that write one object of named values.
    fn flat(tool: &'static str, value: &Value) -> Option<Self> {
        let field = |names: &[&str]| names.iter().find_map(|name| value.get(name));
        let prompt = field(&["prompt", "positive_prompt"])?.as_str()?.to_owned();
        let negative = field(&["negative_prompt", "negativeprompt"])
            .and_then(Value::as_str)
            .unwrap_or_default();
        Some(Self {
            tool,
            prompt,
            negative: negative.to_owned(),
            seed: field(&["seed"]).and_then(integer),
            steps: field(&["steps"])
                .and_then(integer)
                .and_then(|steps| usize::try_from(steps).ok()),
            guidance: field(&["cfg_scale", "cfgscale", "guidance_scale"]).and_then(number),
        })
    }

    /// A1111: the prompt, `Negative prompt: …`, and a last line `Steps: 20, Sampler: …`.
    fn lines(text: &str) -> Option<Self> {
        let (before, settings) = match text.rfind("\nSteps: ") {
            Some(place) => text.split_at(place),
            None if text.starts_with("Steps: ") => ("", text),
            None => return None,
        };
        let (prompt, negative) = before
            .split_once("\nNegative prompt: ")
            .unwrap_or((before, ""));
        let setting = |name: &str| {
            settings
                .split([',', '\n'])
                .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix(':'))
                .map(str::trim)
        };
        Some(Self {
            tool: "A1111",
            prompt: prompt.trim().to_owned(),
            negative: negative.trim().to_owned(),
            seed: setting("Seed").and_then(|text| text.parse().ok()),
            steps: setting("Steps").and_then(|text| text.parse().ok()),
            guidance: setting("CFG scale").and_then(|text| text.parse().ok()),
        })
    }

    /// ComfyUI: a graph of nodes; the sampler names the nodes of its prompts.
    fn graph(graph: &Value) -> Option<Self> {
        let nodes = graph.as_object()?;
        let inputs = nodes.values().find_map(|node| {
            let inputs = node.get("inputs")?;
            let is_sampler = node.get("class_type")?.as_str()?.contains("Sampler");
            (is_sampler && inputs.get("positive").is_some()).then_some(inputs)
        })?;
        let text = |name: &str| follow(graph, inputs.get(name)?);
        Some(Self {
            tool: "ComfyUI",
            prompt: text("positive").unwrap_or_default(),
            negative: text("negative").unwrap_or_default(),
            seed: inputs
                .get("seed")
                .or_else(|| inputs.get("noise_seed"))
                .and_then(integer),
            steps: inputs
                .get("steps")
                .and_then(integer)
                .and_then(|steps| usize::try_from(steps).ok()),
            guidance: inputs.get("cfg").and_then(number),
        })
    }
}

/// The text at the end of a chain of links `[node, output]`.
fn follow(graph: &Value, link: &Value) -> Option<String> {
    let mut link = link;
    for _ in 0..MOST_LINKS {
        let inputs = graph.get(link.get(0)?.as_str()?)?.get("inputs")?;
        let next = ["text", "conditioning", "positive", "string", "value"]
            .iter()
            .find_map(|name| inputs.get(name))?;
        if let Some(text) = next.as_str() {
            return Some(text.to_owned());
        }
        link = next;
    }
    None
}

/// Some programs write numbers as texts.
fn integer(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(keyword: &str, text: &str) -> Foreign {
        Foreign::find(&[(keyword.to_owned(), text.to_owned())]).expect("found")
    }

    #[test]
    fn a1111() {
        let found = find(
            "parameters",
            "a man, smiling\nsecond line\nNegative prompt: hat, beard\nSteps: 25, Sampler: Euler a, CFG scale: 7.5, Seed: 12345678901, Size: 512x512",
        );
        assert_eq!(
            (found.prompt.as_str(), found.negative.as_str()),
            ("a man, smiling\nsecond line", "hat, beard")
        );
        assert_eq!(
            (found.seed, found.steps, found.guidance),
            (Some(12_345_678_901), Some(25), Some(7.5))
        );
        assert_eq!(find("parameters", "x\nSteps: many, Seed: -1").seed, None);
        assert_eq!(
            Foreign::find(&[("parameters".into(), "only words".into())]),
            None
        );
    }

    #[test]
    fn objects_of_values() {
        let swarm = find(
            "parameters",
            r#"{"sui_image_params": {"prompt": "p", "negativeprompt": "n", "seed": 5, "steps": 30, "cfgscale": 6}}"#,
        );
        assert_eq!(
            (swarm.tool, swarm.negative.as_str(), swarm.guidance),
            ("SwarmUI", "n", Some(6.0))
        );
        let fooocus = find(
            "parameters",
            r#"{"prompt": "p", "negative_prompt": "", "seed": "77", "steps": 30}"#,
        );
        assert_eq!(
            (fooocus.tool, fooocus.seed, fooocus.steps),
            ("Fooocus", Some(77), Some(30))
        );
        let invoke = find(
            "invokeai_metadata",
            r#"{"positive_prompt": "p", "seed": 9, "steps": 8, "cfg_scale": 5.5}"#,
        );
        assert_eq!(
            (invoke.tool, invoke.prompt.as_str(), invoke.seed),
            ("InvokeAI", "p", Some(9))
        );
    }

    #[test]
    fn graphs_and_their_loops() {
        let found = find(
            "prompt",
            r#"{"3": {"class_type": "KSampler", "inputs": {"seed": 8, "steps": 20, "cfg": 8.0, "positive": ["6", 0], "negative": ["7", 0]}},
                "6": {"class_type": "ConditioningCombine", "inputs": {"conditioning": ["8", 0]}},
                "8": {"class_type": "CLIPTextEncode", "inputs": {"text": "a face"}},
                "7": {"class_type": "Loop", "inputs": {"conditioning": ["7", 0]}}}"#,
        );
        assert_eq!(
            (found.prompt.as_str(), found.negative.as_str()),
            ("a face", "")
        );
        assert_eq!((found.seed, found.steps), (Some(8), Some(20)));
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let deep = "[".repeat(200_000);
        assert_eq!(Foreign::find(&[("prompt".into(), deep)]), None);
    }
}
