use caisson_core::{
    control::api::{GetPlan, PlanView},
    model::ServerName,
};

use super::Outcome;
use crate::{
    exit, reach,
    show::{Screen, Table},
};

/// Show the container a server runs in, line by line, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json, `plan` is the very object the container is created from.

Examples:
  caisson plan everything
  caisson plan everything --json")]
pub(crate) struct Args {
    /// The server
    server: ServerName,
}

pub(crate) async fn run(args: Args, screen: &Screen) -> Outcome {
    let plan = reach::call(&GetPlan { server: args.server }).await?;
    if screen.json {
        screen.json(&plan)?;
    } else {
        screen.text(&table(&plan).render(screen.width, screen.color))?;
    }
    Ok(exit::OK)
}

pub(crate) fn table(plan: &PlanView) -> Table {
    let mut table = Table::new(&["WHAT", "VALUE", "WHY"]);
    for row in &plan.rows {
        table.row([&row.what, &row.value, &row.why]);
    }
    table
}
