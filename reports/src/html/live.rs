//! The page that shows a run while it goes on, in the looks of the report.

use std::time::Duration;

use super::markup::Markup;
use super::{Figure, Opening, banner, chart, figures, head, percent, top};
use crate::text::number;
use crate::timeline::{Stage, Timeline};
use crate::verdict::Verdict;

const SCRIPT: &str = include_str!("../../assets/live.js");

/// What a page is about, decided before the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The program's version.
    pub version: String,
    /// The scenario's name.
    pub scenario: String,
    /// The attachment.
    pub attachment: String,
    /// The run's seed.
    pub seed: u64,
    /// Phones that take part.
    pub planned: u32,
    /// When it ends at the latest.
    pub deadline: Duration,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    /// How long it has been going on.
    pub elapsed: Duration,
    /// Phones by stage, by `Stage::ALL`.
    pub stages: [u32; Stage::ALL.len()],
    /// Files that arrived.
    pub files: u64,
    /// Requests that left for the first time.
    pub requests: u64,
    /// Requests that left again.
    pub retries: u64,
    /// Unusable answers, and steps given up.
    pub errors: u64,
    /// What was seen at each look so far.
    pub timeline: Timeline,
    /// How it ended, and where its report is; none while it goes on.
    pub over: Option<(Verdict, String)>,
}

/// The whole page, for whoever opens it.
#[must_use]
pub fn page(run: &Run, standing: &Standing) -> String {
    let mut page = Markup::default();
    let title = format!("{} · running · bootstorm", run.scenario);
    head(&title, SCRIPT, "; connect-src 'self'", &mut page);
    page.raw("<body><header>");
    let meta = [
        run.scenario.clone(),
        number::phones(run.planned),
        run.attachment.clone(),
        format!("seed {}", run.seed),
        format!("deadline {}", number::duration_short(run.deadline)),
    ];
    top(&meta.join(" · "), &mut page);
    page.raw("</header><div id=\"board\">");
    page.piece(&board(run, standing));
    page.raw(
        "</div><main><p id=\"lost\" class=\"note warn\" hidden>No answer any more: the run is \
              over, or the program was ended. What is shown is the last that was known.</p>",
    );
    page.raw(
        "<noscript><p class=\"note\">Without a script this page does not renew itself: load \
              it again to see how the run goes on.</p></noscript></main><footer><p>bootstorm ",
    );
    page.text(&run.version)
        .raw(" · <a href=\"metrics\">metrics for Prometheus</a></p></footer>");
    page.raw("<script>")
        .raw(SCRIPT)
        .raw("</script></body></html>\n");
    page.into_text()
}

/// The part of the page that changes.
#[must_use]
pub fn board(run: &Run, standing: &Standing) -> Piece {
    let mut page = Markup::default();
    page.raw("<header>");
    match &standing.over {
        Some((verdict, _)) => banner(verdict.class.into(), &verdict.sentence, &mut page),
        None => banner(Opening::Running, &sentence(run, standing), &mut page),
    }
    figures(&of(run, standing), &mut page);
    page.raw("</header><main>");
    if let Some((_, place)) = &standing.over {
        page.raw("<section><p>The run is over. Its report: <code>")
            .text(place);
        page.raw("</code></p></section>");
    }
    page.raw("<section><div class=\"head\"><h2>How the fleet boots</h2><p>phones by boot step");
    page.raw(" over time, once a second</p></div>");
    chart::write(&standing.timeline, &mut page);
    page.raw("</section></main>");
    Piece(page.into_text())
}

/// A part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece(pub(super) String);

impl Piece {
    /// Its markup.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

fn at(standing: &Standing, stage: Stage) -> u32 {
    standing.stages[stage as usize]
}

fn sentence(run: &Run, standing: &Standing) -> String {
    let settled = at(standing, Stage::Settled).saturating_add(at(standing, Stage::Unintended));
    format!(
        "{} of {} settled after {}.",
        number::count(settled.min(run.planned).into()),
        number::phones(run.planned),
        number::duration_short(standing.elapsed)
    )
}

fn of(run: &Run, standing: &Standing) -> Vec<Figure> {
    let figure = |name, value: u64, of: String, under: String| Figure {
        name,
        value: number::count(value),
        of,
        under,
    };
    let planned = u64::from(run.planned);
    let on = planned.saturating_sub(at(standing, Stage::Off).into());
    let settled = u64::from(at(standing, Stage::Settled));
    let wrong = u64::from(at(standing, Stage::Unintended));
    let all = standing.requests.saturating_add(standing.retries);
    let wasted = match standing.retries {
        0 => "no retries".to_owned(),
        retries => format!("{} of them retries", percent(retries, all)),
    };
    let of_all = format!("of {}", number::count(planned));
    vec![
        figure("Switched on", on, of_all.clone(), percent(on, planned)),
        figure("Settled", settled, of_all, percent(settled, planned)),
        figure(
            "Not as intended",
            wrong,
            String::new(),
            percent(wrong, planned),
        ),
        figure("Requests", all, String::new(), wasted),
        figure(
            "Errors",
            standing.errors,
            String::new(),
            "wrong answers, steps given up".into(),
        ),
        figure(
            "Files fetched",
            standing.files,
            String::new(),
            String::new(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use bootstorm_emulator::time::Moment;

    use super::*;
    use crate::verdict::Class;

    fn run() -> Run {
        Run {
            version: "0.1.0".to_owned(),
            scenario: "<b>storm</b>".to_owned(),
            attachment: "memory".to_owned(),
            seed: 1,
            planned: 4,
            deadline: Duration::from_secs(60),
        }
    }

    #[test]
    fn tells_how_the_run_stands_and_how_it_ended() {
        let mut standing = Standing {
            elapsed: Duration::from_millis(2_500),
            requests: 30,
            retries: 10,
            ..Standing::default()
        };
        standing.stages[Stage::Settled as usize] = 3;
        standing.stages[Stage::Off as usize] = 1;
        standing.timeline.add_phones(4);
        standing
            .timeline
            .change(Moment::from_millis(900), Stage::Off, Stage::Settled);
        let text = page(&run(), &standing);
        assert!(
            text.contains("3 of 4 phones settled after 2.5 s."),
            "{text}"
        );
        assert!(text.contains("25 % of them retries"), "{text}");
        assert!(
            text.contains("&lt;b&gt;storm") && !text.contains("<b>storm"),
            "{text}"
        );
        assert!(text.contains("connect-src &#39;self&#39;"), "{text}");
        let verdict = Verdict {
            class: Class::Met,
            sentence: "4 of 4 phones provisioned in 3 s.".to_owned(),
        };
        standing.over = Some((verdict, "out/report.html".to_owned()));
        let text = board(&run(), &standing).into_text();
        assert!(
            text.contains("verdict met") && text.contains("out/report.html"),
            "{text}"
        );
    }
}
