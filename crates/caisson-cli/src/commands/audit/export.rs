//! The record as files that others can check.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use caisson_core::control::api::{AuditFilter, ExportAudit};

use super::{Filter, Outcome};
use crate::{exit, failure::Failure, reach, show::Screen, values};

/// Write entries as JSON Lines, each with its hash
///
/// Each line has a number, the entry, and the hash: SHA-256 of the hash before it (32 bytes, zeros before the first entry)
/// and of the entry's text as it stands there. So whoever has the file can check the chain without Caisson.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  caisson audit export -o audit.jsonl
  caisson audit export github --since 7d | jq .entry")]
pub(super) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Into this file, readable by you alone, in place of standard output; it appears when it is complete
    #[arg(long, short, value_name = "FILE", value_parser = values::whole)]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: Args, screen: &Screen) -> Outcome {
    let Args { filter, output } = args;
    let filter = AuditFilter::from(filter);
    let Some(path) = output else {
        // A pipe that is closed wants no more.
        write(filter, &mut io::stdout(), Failure::from).await?;
        return Ok(exit::OK);
    };
    let partial = path.with_added_extension("part");
    let fault = |error: io::Error| {
        let what = format!("the file {} could not be written", path.display());
        Failure::new(exit::FAILURE, what).why(error.to_string())
    };
    let written = async {
        let mut file = BufWriter::new(private(&partial).map_err(fault)?);
        let entries = write(filter, &mut file, fault).await?;
        let whole =
            file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        whole.and_then(|()| fs::rename(&partial, &path)).map_err(fault)?;
        Ok::<_, Failure>(entries)
    };
    match written.await {
        Ok(entries) => {
            screen.note(format!("{entries} entries are in {}", path.display()));
            Ok(exit::OK)
        }
        Err(failure) => {
            // What is left of it is of no use; what went wrong is said below.
            drop(fs::remove_file(&partial));
            Err(failure)
        }
    }
}

async fn write(
    mut filter: AuditFilter,
    to: &mut impl Write,
    fault: impl Fn(io::Error) -> Failure,
) -> Result<u64, Failure> {
    let client = reach::client().await?;
    let mut written = 0;
    loop {
        let entries = client.call(&ExportAudit { filter: filter.clone() }).await?.entries;
        let Some(last) = entries.last() else { break };
        filter.after = Some(last.seq);
        for entry in &entries {
            let mut line = serde_json::to_vec(entry)?;
            line.push(b'\n');
            to.write_all(&line).map_err(&fault)?;
            written += 1;
        }
    }
    to.flush().map_err(&fault)?;
    Ok(written)
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
