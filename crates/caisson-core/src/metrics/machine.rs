//! What the machine and Caisson itself use, measured when it is asked for.

use serde::{Deserialize, Serialize};
use sysinfo::{
    CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, Pid, ProcessRefreshKind,
    ProcessesToUpdate, RefreshKind, System,
};
use ts_rs::TS;

/// What the machine uses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct MachineUse {
    /// Its processors.
    pub processors: usize,
    /// How busy they are, in percent of all of them.
    pub cpu: f64,
    /// Its memory, in bytes.
    pub memory: u64,
    /// Of that, what is in use, in bytes.
    pub memory_used: u64,
}

/// What Caisson's own process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct OwnUse {
    /// Memory, in bytes.
    pub memory: u64,
    /// Processor time since its start, in milliseconds.
    pub cpu_millis: u64,
}

/// Measures the machine, for a fifth of a second; none where the system does not tell.
pub async fn machine() -> Option<MachineUse> {
    let measuring = tokio::task::spawn_blocking(|| {
        let cpu = CpuRefreshKind::nothing().with_usage();
        let kind = RefreshKind::nothing().with_cpu(cpu).with_memory(MemoryRefreshKind::nothing().with_ram());
        let mut system = System::new_with_specifics(kind).ok()?;
        std::thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL);
        system.refresh_cpu_usage();
        Some(MachineUse {
            processors: system.cpus().len(),
            cpu: f64::from(system.global_cpu_usage()),
            memory: system.total_memory(),
            memory_used: system.used_memory(),
        })
    });
    measuring.await.ok().flatten()
}

/// Measures Caisson's own process; none where the system does not tell.
pub async fn own() -> Option<OwnUse> {
    let measuring = tokio::task::spawn_blocking(|| {
        let pid = Pid::from_u32(std::process::id());
        let mut system = System::new_with_specifics(RefreshKind::nothing()).ok()?;
        let kind = ProcessRefreshKind::nothing().with_memory().with_cpu();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
        let process = system.process(pid)?;
        Some(OwnUse { memory: process.memory(), cpu_millis: process.accumulated_cpu_time() })
    });
    measuring.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_and_this_process_use_something() {
        let machine = machine().await.unwrap();
        assert!(machine.processors > 0 && (0.0..=100.0).contains(&machine.cpu), "{machine:?}");
        assert!(machine.memory_used > 0 && machine.memory_used <= machine.memory, "{machine:?}");
        let own = own().await.unwrap();
        assert!(own.memory > 1 << 20 && own.memory < machine.memory, "{own:?}");
    }
}
