//! Programs of the distribution do under hakmem what they do without it.
//!
//! Each is run twice, once with its own allocator and once under a preload, and
//! the outputs are compared. A program that is not installed is skipped, loudly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use hakmem_tests::{Allocator, Outcome, Run, Running, Scratch, find, skip};

/// Runs what `prepare` makes, without hakmem and with it; the outputs have to
/// be equal and the exit a success.
#[track_caller]
fn compare(prepare: impl Fn() -> Run) -> Outcome {
    let expected = prepare().allocator(Allocator::Own).output();
    let outcome = prepare().output();
    outcome.equals(expected.success());
    outcome
}

/// A number of `program`'s processes have testified.
#[track_caller]
fn was_seen(outcome: &Outcome, program: &str) {
    let named = |path: &Path| path.file_name().is_some_and(|name| name == program);
    let seen = outcome.seen.iter().any(|seen| named(&seen.executable));
    assert!(seen, "{program} did not testify\n{}", outcome.report());
}

/// The interpreter itself, not a script that looks for one.
fn python() -> Option<PathBuf> {
    let found = find("python3")?;
    let output = Command::new(found)
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    let path = String::from_utf8(output.ok()?.stdout).ok()?;
    Some(PathBuf::from(path.trim()))
}

/// Not a name of the suite's own.
const MULTIPROCESSING: &str = "test_own_multiprocessing";

/// A part of python's own test suite: each test's result, by name, and whether
/// all succeeded (some depend on how the interpreter was installed).
fn python_suite(python: &Path, part: &str, allocator: Allocator, malloc: &str) -> Vec<String> {
    let scratch = Scratch::new();
    let results = scratch.file("results.xml");
    let mut arguments = vec!["-m", "test", "--junit-xml"];
    arguments.push(results.to_str().expect("a path in UTF-8"));
    if part == MULTIPROCESSING {
        // Its installed form is a directory, which some installations lack.
        let script = "import test._test_multiprocessing as tests\n\
                      tests.install_tests_in_module_dict(globals(), 'fork')\n";
        fs::write(scratch.file(&format!("{part}.py")), script).expect("the part");
        arguments.extend(["--testdir", "."]);
    }
    arguments.push(part);
    // The suite starts interpreters with environments of its own making.
    let run = Run::new(python)
        .args(arguments)
        .allocator(allocator)
        .children_unproven();
    let run = run.env("PYTHONMALLOC", malloc).directory(scratch.path());
    let outcome = run.output();
    let xml = fs::read_to_string(&results).unwrap_or_else(|e| panic!("{e}\n{}", outcome.report()));
    let mut results: Vec<String> = xml.split("<testcase ").skip(1).map(result).collect();
    results.sort();
    assert!(!results.is_empty(), "{part} has no tests");
    results.push(outcome.status.to_string());
    results
}

/// Name and result of a test, without the time that it took.
fn result(testcase: &str) -> String {
    let attribute = |name: &str| {
        let (_, value) = testcase
            .split_once(&format!("{name}=\""))
            .unwrap_or_default();
        value.split('"').next().unwrap_or_default().to_owned()
    };
    let kinds = ["<failure", "<error", "<skipped"];
    let kind = kinds.into_iter().find(|kind| testcase.contains(kind));
    format!(
        "{}: {} {}",
        attribute("name"),
        attribute("result"),
        kind.unwrap_or("ok")
    )
}

#[track_caller]
fn compare_python_suite(part: &str, malloc: &str) {
    let Some(python) = python() else { return };
    let part_of_suite = match part {
        MULTIPROCESSING => "_test_multiprocessing",
        part => part,
    };
    let import = format!("import test.{part_of_suite}");
    let has_suite = Command::new(&python).args(["-c", &import]).output();
    if !has_suite.is_ok_and(|output| output.status.success()) {
        return skip(&format!("{} has no test.{part_of_suite}", python.display()));
    }
    let expected = python_suite(&python, part, Allocator::Own, "default");
    let seen = python_suite(&python, part, Allocator::Tested, malloc);
    assert_eq!(expected, seen, "results of {part}, PYTHONMALLOC={malloc}");
}

/// With python's own allocator for small objects on top, and without it.
#[test]
fn python_json() {
    compare_python_suite("test_json", "default");
    compare_python_suite("test_json", "malloc");
}

#[test]
fn python_dict() {
    compare_python_suite("test_dict", "default");
    compare_python_suite("test_dict", "malloc");
}

#[test]
fn python_gc() {
    compare_python_suite("test_gc", "default");
    compare_python_suite("test_gc", "malloc");
}

#[test]
fn python_threading() {
    compare_python_suite("test_threading", "default");
}

#[test]
fn python_subprocess() {
    compare_python_suite("test_subprocess", "default");
}

/// Forks, queues and shared memory.
#[test]
fn python_multiprocessing() {
    compare_python_suite(MULTIPROCESSING, "default");
}

/// A history of its own, the same in every run.
fn commit(git: &Path, repository: &Path, count: usize) {
    let mut stream = String::new();
    for number in 1..=count {
        stream += &format!(
            "commit refs/heads/main\ncommitter A <a@b> {} +0000\n",
            1_000_000 + number
        );
        stream += "data 6\nchange\n";
        for file in 0..4 {
            let name = (number * 7 + file * 13) % 50;
            let text: String = (0..200)
                .map(|line| {
                    format!(
                        "{} {}\n",
                        line * name,
                        if line % 9 == 0 { number } else { 0 }
                    )
                })
                .collect();
            stream += &format!("M 100644 inline file{name}\ndata {}\n{text}\n", text.len());
        }
    }
    let input = repository.with_extension("stream");
    fs::write(&input, stream).expect("the stream");
    for (arguments, stdin) in [
        (vec!["init", "-q", "-b", "main", "."], None),
        (vec!["fast-import", "--quiet"], Some(&input)),
    ] {
        let mut command = Command::new(git);
        command
            .args(arguments)
            .current_dir(repository)
            .env("HOME", repository);
        if let Some(file) = stdin {
            command.stdin(fs::File::open(file).expect("the stream"));
        }
        assert!(command.status().expect("git").success(), "git {command:?}");
    }
}

#[test]
fn git() {
    let Some(git) = find("git") else { return };
    let outputs = [Allocator::Own, Allocator::Tested].map(|allocator| {
        let scratch = Scratch::new();
        let origin = scratch.file("origin");
        fs::create_dir(&origin).expect("a directory");
        commit(&git, &origin, 400);
        let clone = scratch.file("clone");
        let run = |directory: &Path, arguments: &[&str]| {
            let run = Run::new(&git)
                .args(arguments)
                .directory(directory)
                .allocator(allocator);
            let run = run
                .env("HOME", scratch.path())
                .env("GIT_CONFIG_NOSYSTEM", "1");
            let outcome = run.output();
            outcome.success();
            outcome
        };
        let cloned = run(
            scratch.path(),
            &["clone", "-q", "--no-local", "origin", "clone"],
        );
        assert!(
            cloned.seen.len() > 1,
            "clone has helpers\n{}",
            cloned.report()
        );
        run(
            &clone,
            &[
                "-c",
                "pack.threads=2",
                "gc",
                "-q",
                "--aggressive",
                "--prune=now",
            ],
        );
        [
            run(&clone, &["fsck", "--full", "--strict"]),
            run(&clone, &["rev-list", "--objects", "--all"]),
            run(
                &clone,
                &["cat-file", "--batch-all-objects", "--batch-check"],
            ),
            run(&clone, &["log", "-p", "--stat", "--no-color", "-50"]),
            run(&clone, &["blame", "file7"]),
            run(&clone, &["status"]),
        ]
    });
    for (expected, outcome) in outputs[0].iter().zip(&outputs[1]) {
        outcome.equals(expected);
    }
}

/// A source that keeps the compiler's templates and optimiser busy.
fn large_source() -> String {
    let mut source = String::from(
        "#include <algorithm>\n#include <functional>\n#include <map>\n#include <regex>\n\
         #include <sstream>\n#include <string>\n#include <tuple>\n#include <unordered_map>\n\
         #include <variant>\n#include <vector>\n\
         template <int N> struct Chain { static int run(int x) {\n\
         return Chain<N - 1>::run(x * N + 1) ^ N; } };\n\
         template <> struct Chain<0> { static int run(int x) { return x; } };\n\
         template <typename... T> int total(const T &...t) { return (0 + ... + int(sizeof t)); }\n",
    );
    for number in 0..16 {
        source += &format!(
            "struct Value{number} {{ int a[{0}]; std::string text; bool operator<(const \
             Value{number} &o) const {{ return text < o.text; }} }};\n\
             int use{number}(std::map<std::string, std::vector<Value{number}>> &m, int x) {{\n\
             std::tuple<int, Value{number}, std::vector<Value{number}>> t;\n\
             std::variant<int, std::string, Value{number}> v = x;\n\
             std::unordered_map<int, std::function<int(int)>> f;\n\
             for (int i = 0; i < x; i++) f[i] = [i, x](int y) {{ return i * x + y + {number}; }};\n\
             auto &values = m[std::to_string(x)];\n\
             values.resize(x);\n\
             std::sort(values.begin(), values.end());\n\
             std::stable_sort(values.rbegin(), values.rend());\n\
             if (v.index() == 0) x += f[x % {0}](Chain<{1}>::run(x));\n\
             return x + total(t, v, values, m) + int(std::get<2>(t).size()); }}\n",
            number + 1,
            number * 3 + 20,
        );
    }
    source += "bool match(const std::string &s) {\n\
               return std::regex_match(s, std::regex(\"(a|b)*c+[0-9]{2,5}\")); }\n";
    source
}

#[test]
fn gcc() {
    let Some(gcc) = find("g++") else { return };
    let scratch = Scratch::new();
    fs::write(scratch.file("large.cpp"), large_source()).expect("the source");
    let outcome = compare(|| {
        let run = Run::new(&gcc).args(["-std=c++17", "-O2", "-S", "-o", "-", "large.cpp"]);
        run.directory(scratch.path())
    });
    was_seen(&outcome, "cc1plus");
    assert!(
        outcome.stdout.len() > 1 << 20,
        "only {} bytes",
        outcome.stdout.len()
    );
}

const PERL: &str = r#"
    use strict; use warnings;
    my (%words, @lists);
    my $seed = 42;
    sub random { $seed = ($seed * 1103515245 + 12345) & 0x7fffffff; return $seed % $_[0] }
    for my $i (1 .. 300_000) {
        my $word = join '', map { chr(97 + random(26)) } 1 .. 1 + random(12);
        $words{$word}++;
        push @{$lists[random(1000)]}, $word if $i % 3 == 0;
    }
    for my $list (grep { defined } @lists) {
        @$list = sort { length $a <=> length $b or $a cmp $b } @$list;
        splice @$list, @$list / 2;
    }
    my $text = join ' ', map { "$_=$words{$_}" } sort keys %words;
    my $count = () = $text =~ /\b([aeiou]\w*)([^aeiou ])=/g;
    (my $copy = $text) =~ s/(\w+)=(\d+)/$2:$1/g;
    my $long = '';
    $long .= $_ x ($_ % 100) for 1 .. 20_000;
    print scalar(keys %words), " $count ", length($copy), " ", length($long), "\n";
    print unpack('%32C*', $copy), " ", unpack('%32C*', $long), "\n";
    print "@{$lists[$_]}[0 .. 3]\n" for 0 .. 20;
"#;

#[test]
fn perl() {
    let Some(perl) = find("perl") else { return };
    // Hashes in the same order in both runs.
    compare(|| {
        let run = Run::new(&perl).args(["-e", PERL]);
        run.env("PERL_HASH_SEED", "0").env("PERL_PERTURB_KEYS", "0")
    });
}

/// Its extensions are opened with `RTLD_DEEPBIND`.
#[test]
fn php() {
    const SCRIPT: &str = r#"
        for ($i = 0; $i < 50000; $i++) $all["k$i"] = [$i, str_repeat("x", $i % 50)];
        usort($all, fn($a, $b) => $b[0] <=> $a[0]);
        echo implode(" ", get_loaded_extensions()), " ", md5(serialize($all)), " ";
        echo strlen(json_encode(json_decode(json_encode($all), true))), " ";
        echo preg_match_all('/x{3,}/', serialize($all)), "
";
    "#;
    let Some(php) = find("php") else { return };
    compare(|| Run::new(&php).args(["-r", SCRIPT]));
}

#[test]
fn sqlite3() {
    let Some(sqlite3) = find("sqlite3") else {
        return;
    };
    let scratch = Scratch::new();
    let mut script = String::from(
        "create table entry (id integer primary key, owner integer, name text, size real);\n\
         create index by_owner on entry (owner, name);\nbegin;\n",
    );
    for id in 0..1_000_000_u64 {
        let owner = id * 2_654_435_761 % 5003;
        let size = id * 40_503 % 65_536;
        script += &format!("insert into entry values ({id}, {owner}, 'name {size}', {size}.5);\n");
    }
    script += "commit;\n\
        select count(*), sum(size), max(name) from entry;\n\
        select owner, count(*), group_concat(name, ',') from entry where owner < 5 group by owner;\n\
        select a.owner, count(*) from entry a join entry b on a.owner = b.owner and a.id < b.id\n\
          where a.owner between 100 and 110 group by a.owner order by 2 desc, 1;\n\
        update entry set name = upper(name) || id where id % 7 = 0;\n\
        delete from entry where id % 3 = 0;\n\
        select count(*), min(name), avg(length(name)) from entry;\npragma integrity_check;\n";
    fs::write(scratch.file("script"), script).expect("the script");
    compare(|| {
        Run::new(&sqlite3)
            .arg(":memory:")
            .stdin(scratch.file("script"))
    });
}

const NODE: &str = r#"
    const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
    const crypto = require('crypto'), zlib = require('zlib');
    function work(seed) {
        let state = seed >>> 0;
        const random = n => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % n;
        const map = new Map(), hash = crypto.createHash('sha256');
        for (let i = 0; i < 200000; i++) {
            const key = 'key' + random(20000);
            map.set(key, { list: Array.from({ length: random(20) }, () => random(1000)), key });
            if (i % 100 === 0) hash.update(Buffer.alloc(random(100000), i & 255));
        }
        const text = JSON.stringify([...map.entries()].sort((a, b) => (a[0] < b[0] ? -1 : 1)));
        const packed = zlib.deflateSync(text), back = zlib.inflateSync(packed).toString();
        hash.update(back);
        let long = '';
        for (let i = 0; i < 200000; i++) long += String.fromCharCode(65 + random(26));
        hash.update(long.split('').reverse().join('').replace(/A(B|C)*/g, '$1'));
        return back === text ? hash.digest('hex') : 'deflate differs';
    }
    if (isMainThread) {
        const results = [];
        let open = 4;
        for (let i = 0; i < 4; i++)
            new Worker(__filename, { workerData: i + 1 })
                .on('message', result => { results[i] = result; })
                .on('exit', () => { if (--open === 0) console.log(results.join('\n')); });
        console.log(work(99));
    } else parentPort.postMessage(work(workerData));
"#;

#[test]
fn node() {
    let Some(node) = find("node") else { return };
    let scratch = Scratch::new();
    fs::write(scratch.file("work.js"), NODE).expect("the script");
    compare(|| Run::new(&node).arg(scratch.file("work.js")));
}

#[test]
fn xz() {
    let Some(xz) = find("xz") else { return };
    let scratch = Scratch::new();
    let mut state = 88_172_645_463_325_252_u64;
    let text: String = (0..600_000)
        .map(|line| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            format!("{} {:x}\n", line % 1000, state % 100_003)
        })
        .collect();
    let input = scratch.file("input");
    fs::write(&input, &text).expect("the input");
    let packing = ["-T2", "-3", "--block-size=2MiB", "-c"];
    let packed = compare(|| Run::new(&xz).args(packing).stdin(&input));
    let file = scratch.file("packed");
    fs::write(&file, &packed.stdout).expect("the packed file");
    let unpacked = compare(|| Run::new(&xz).args(["-T2", "-d", "-c"]).stdin(&file));
    assert!(
        unpacked.stdout == text.as_bytes(),
        "the text is not what was packed"
    );
}

/// Its own checks on; its answer is its exit status, for it prints numbers and times.
#[test]
fn stress_ng() {
    let Some(stress) = find("stress-ng") else {
        return;
    };
    let scratch = Scratch::new();
    let mut arguments = vec![
        "--malloc",
        "2",
        "--malloc-ops",
        "100000",
        "--malloc-pthreads",
        "2",
    ];
    arguments.extend([
        "--malloc-bytes",
        "64K",
        "--malloc-max",
        "2000",
        "--malloc-touch",
    ]);
    arguments.extend(["--verify", "--temp-path"]);
    for allocator in [Allocator::Own, Allocator::Tested] {
        let run = Run::new(&stress)
            .args(&arguments)
            .arg(scratch.path())
            .allocator(allocator);
        let outcome = run.directory(scratch.path()).output();
        outcome.success();
        assert!(
            outcome.stderr_text().contains("successful run"),
            "{}",
            outcome.report()
        );
    }
}

/// A server on a socket of its own, and its clients.
struct Redis {
    server: Running,
    client: PathBuf,
    benchmark: PathBuf,
    socket: PathBuf,
}

impl Redis {
    fn start(scratch: &Scratch, allocator: Allocator) -> Option<Self> {
        let server = find("redis-server")?;
        let client = find("redis-cli")?;
        let benchmark = find("redis-benchmark")?;
        let socket = scratch.file("socket");
        let options = "--port 0 --save --appendonly no --enable-debug-command yes \
                       --activedefrag no --unixsocket";
        let run = Run::new(server)
            .args(options.split_whitespace())
            .arg(&socket);
        let server = run.allocator(allocator).directory(scratch.path()).start();
        let mut redis = Self {
            server,
            client,
            benchmark,
            socket,
        };
        while !redis.socket.exists() {
            assert!(
                redis.server.is_running(),
                "redis-server: {}",
                redis.server.stderr()
            );
            thread::sleep(Duration::from_millis(10));
        }
        Some(redis)
    }

    /// Lines for the client's standard input, and what the server answers.
    fn ask(&self, scratch: &Scratch, lines: &str) -> String {
        let file = scratch.file("commands");
        fs::write(&file, lines).expect("the commands");
        let mut command = Command::new(&self.client);
        command.arg("-s").arg(&self.socket);
        command.stdin(fs::File::open(&file).expect("the commands"));
        let output = command.output().expect("redis-cli");
        assert!(output.status.success(), "redis-cli: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn bench(&self) {
        let mut command = Command::new(&self.benchmark);
        command.arg("-s").arg(&self.socket);
        command.args("-q -n 20000 -c 20 -r 10000 -d 200 -P 8".split_whitespace());
        command.args([
            "-t",
            "set,get,incr,lpush,rpush,lpop,sadd,hset,spop,zadd,lrange_100,mset",
        ]);
        let output = command.output().expect("redis-benchmark");
        assert!(output.status.success(), "redis-benchmark: {output:?}");
    }
}

/// The same data in every run, in all of redis's types.
fn redis_commands() -> String {
    let mut lines = String::new();
    for number in 0..20_000_u64 {
        let key = number * 7919 % 3001;
        let text = "v".repeat((number * 31 % 700) as usize);
        lines += &match number % 7 {
            0 => format!("SET s{key} x{text}\n"),
            1 => format!("RPUSH l{key} {number} x{text}\n"),
            2 => format!("HSET h{} f{number} x{text}\n", key % 100),
            3 => format!("SADD t{} m{number}\n", key % 50),
            4 => format!("ZADD z{} {number} m{key}\n", key % 20),
            5 => format!("APPEND s{key} y{text}\n"),
            _ => format!("DEL s{}\n", key + 1),
        };
    }
    lines
}

/// The digest of the data, before and after a reload from disk (by a fork).
fn redis_digest(allocator: Allocator) -> Option<String> {
    let scratch = Scratch::new();
    let redis = Redis::start(&scratch, allocator)?;
    redis.bench();
    redis.ask(&scratch, "FLUSHALL\n");
    let answers = redis.ask(&scratch, &redis_commands());
    assert!(!answers.contains("ERR"), "redis refused a command");
    let digest = redis.ask(&scratch, "DEBUG DIGEST\nDBSIZE\n");
    redis.ask(&scratch, "BGSAVE\n");
    while !redis
        .ask(&scratch, "INFO persistence\n")
        .contains("rdb_bgsave_in_progress:0")
    {
        thread::sleep(Duration::from_millis(20));
    }
    let saved = redis.ask(&scratch, "INFO persistence\n");
    assert!(
        saved.contains("rdb_last_bgsave_status:ok"),
        "the fork that saves failed: {saved}"
    );
    redis.bench();
    redis.ask(&scratch, "FLUSHALL\n");
    redis.ask(&scratch, &redis_commands());
    redis.ask(&scratch, "DEBUG RELOAD\n");
    let again = redis.ask(&scratch, "DEBUG DIGEST\nDBSIZE\n");
    assert_eq!(digest, again, "the digest before and after a reload");
    redis.ask(&scratch, "SHUTDOWN NOSAVE\n");
    redis.server.finish().success();
    Some(digest)
}

#[test]
fn redis() {
    let expected = redis_digest(Allocator::Own);
    let seen = redis_digest(Allocator::Tested);
    assert_eq!(expected, seen, "the digests of the data");
}
