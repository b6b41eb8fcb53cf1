//! What a build costs, here and with kustomize 5.8.2: as a process, and with its library in a loop. `make bench-render`
//! runs it. Nothing in it passes or fails: a figure means something only beside another one of the same run.

#[path = "../../tests/bombs/trees.rs"]
mod trees;
mod workloads;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use countersign_render::budget::Budget;
use countersign_render::rendered::render;
use serde_json::{Value, json};

use workloads::{Workload, workloads};

/// What asks this program to build, in a process of its own, instead of to compare.
const CHILD: &str = "--build";

/// What asks this program to look at one bomb, in a process of its own.
const BOMB: &str = "--bomb";

/// How many processes build once: the median of them is shown.
const PROCESSES: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [CHILD, folder, run, times] => child(Path::new(folder), run, times.parse().unwrap()),
        [BOMB, name] => bomb(name),
        _ => {
            compare();
            bombs();
        }
    }
}

/// Shows what it costs to stop each bomb, under the budget of a target.
fn bombs() {
    println!("\n{:<36} {:>10} {:>14}", "bomb", "CPU, ms", "MiB, at most");
    for bomb in trees::all() {
        let child = Command::new(std::env::current_exe().unwrap()).args([BOMB, bomb.name]).output().unwrap();
        let made: Value = serde_json::from_slice(&child.stdout).unwrap();
        println!("{:<36} {:>10.1} {:>14}", bomb.name, made["cpu"].as_f64().unwrap(), bomb.most.0);
    }
}

/// Looks at one bomb. What memory it takes is asserted in `tests/bombs.rs`.
fn bomb(name: &str) {
    let bomb = trees::all().into_iter().find(|bomb| bomb.name == name).unwrap();
    let begun = processor_time();
    let problems = render(&bomb.files, bomb.run, &[], &Budget::for_objects(2_000)).unwrap_err();
    let cpu = processor_time() - begun;
    assert!(problems[0].message.contains(bomb.says), "{name}: {}", problems[0].message);
    println!("{}", json!({ "cpu": cpu }));
}

/// The programs of kustomize that `tests/tools/build.sh` builds.
fn programs() -> BTreeMap<String, PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/tools/build.sh");
    let built = Command::new(tools).args(["--print", "kustomize"]).stderr(Stdio::inherit()).output().unwrap();
    let listing = String::from_utf8(built.stdout).unwrap();
    let places = listing.lines().filter_map(|line| line.split_once(' '));
    places.map(|(name, path)| (name.to_owned(), PathBuf::from(path))).collect()
}

fn compare() {
    let programs = programs();
    let folder = tempfile::tempdir().unwrap();
    println!(
        "{:<22} {:>10} {:>10} {:>10} {:>7} {:>7} {:>9} {:>9} {:>9}",
        "CPU of one build, ms", "here", "library", "process", "library", "process", "output", "peak", "bound"
    );
    let mut each = Vec::new();
    for workload in workloads() {
        let place = folder.path().join(workload.name.replace(' ', "-"));
        workload.write(&place);
        let here = here(&workload, &place, workload.times);
        let mut singly: Vec<Here> = (0..PROCESSES).map(|_| self::here(&workload, &place, 1)).collect();
        singly.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
        let once = &singly[PROCESSES / 2];
        // What takes kustomize minutes is only measured here, unless all is asked for.
        let beside = workload.processes > 1 || std::env::var_os("BENCH_ALL").is_some();
        let library = if beside { library(&programs["kustomize-loop"], &workload) } else { f64::NAN };
        let folder = place.join(workload.run);
        let process =
            if beside { process(&programs["kustomize"], &folder, workload.processes) } else { f64::NAN };
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        println!(
            "{:<22} {:>10.3} {:>10.3} {:>10.1} {:>6.1}x {:>6.1}x {:>5.1} MiB {:>5.1} MiB {:>5.1} MiB",
            workload.name,
            here.cpu,
            library,
            process,
            library / here.cpu,
            process / here.cpu,
            mib(once.bytes),
            mib(once.peak),
            mib(once.bytes * 6.0 + 30e6),
        );
        let each_of = |cpu: f64| cpu / workload.objects as f64;
        each.push((workload.objects, each_of(here.cpu), each_of(once.cpu)));
    }
    if let [.., (fewer, again, singly), (more, again_of_more, singly_of_more)] = each.as_slice() {
        println!("time of one object, of {more} to that of {fewer}:");
        println!("  one process builds it again and again: {:.2} times", again_of_more / again);
        println!("  each build in a process of its own:    {:.2} times", singly_of_more / singly);
    }
}

/// What one build here took.
struct Here {
    /// Processor time in milliseconds.
    cpu: f64,
    /// The most memory that the process had, in bytes.
    peak: f64,
    /// The bytes of the manifest.
    bytes: f64,
}

fn here(workload: &Workload, place: &Path, times: usize) -> Here {
    let times = times.to_string();
    let child = Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .args([place.to_str().unwrap(), workload.run, &times])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let made: Value = serde_json::from_slice(&child.stdout).unwrap();
    let number = |key: &str| made[key].as_f64().unwrap();
    Here { cpu: number("cpu"), peak: number("peak"), bytes: number("bytes") }
}

/// Builds `FOLDER RUN TIMES`: what `gather` does with a target, from files to the bytes that are applied.
fn child(folder: &Path, run: &str, times: u32) {
    let mut tree = BTreeMap::new();
    read(folder, "", &mut tree);
    let budget = Budget::for_objects(20_000);
    let begun = processor_time();
    let mut bytes = 0;
    for _ in 0..times {
        let rendered = render(&tree, run, &[], &budget).unwrap_or_else(|problems| panic!("{problems:?}"));
        bytes = rendered.blob().unwrap().bytes.len();
    }
    let cpu = (processor_time() - begun) / f64::from(times);
    println!("{}", json!({ "cpu": cpu, "peak": memory("VmHWM:"), "bytes": bytes }));
}

fn read(folder: &Path, prefix: &str, tree: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{name}/"), tree);
        } else {
            tree.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
}

/// The processor time of this thread in milliseconds: a build uses no other.
fn processor_time() -> f64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    schedule.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
}

/// What the system says of this process's memory, in bytes.
fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1024.0
}

/// The processor time of one build by kustomize's library, in milliseconds, once it is warm.
fn library(program: &Path, workload: &Workload) -> f64 {
    let files: BTreeMap<String, &String> =
        workload.files.iter().map(|(path, text)| (format!("/{path}"), text)).collect();
    let mut process = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = process.stdin.take().unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap());
    let mut ask = |times: usize| -> f64 {
        let request = json!({
            "files": files, "run": format!("/{}", workload.run), "times": times, "quiet": true,
        });
        writeln!(input, "{request}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["error"], Value::Null, "{}", workload.name);
        answer["cpu"].as_f64().unwrap() / 1e6 / times as f64
    };
    // The first build reads what kustomize knows of Kubernetes.
    ask(1);
    let took = ask(workload.times.div_ceil(10));
    drop(input);
    process.wait().unwrap();
    took
}

/// The processor time of one `kustomize build`, in milliseconds.
fn process(program: &Path, folder: &Path, times: usize) -> f64 {
    let begun = children_time();
    for _ in 0..times {
        let mut child =
            Command::new(program).arg("build").arg(folder).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
        assert!(child.wait().unwrap().success() && !output.is_empty());
    }
    (children_time() - begun) / times as f64
}

/// The processor time of all children that have ended, in milliseconds; the system counts in hundredths of a second.
fn children_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[13].parse::<f64>().unwrap() + fields[14].parse::<f64>().unwrap()) * 10.0
}
