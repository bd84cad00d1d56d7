import BitplanTensors
import Foundation
import Synchronization

/// A process that is written lines and writes lines, with limits of time.
///
/// It runs in a process group of its own, so that whatever it started ends with it. What it says on standard
/// error goes to a file that has no name any more; the last line of it is kept for errors.
final class ChildPipe: @unchecked Sendable {
    private let process: pid_t
    private let input: Int32
    private let output: Int32
    private let errors: Int32
    private var received: [UInt8] = []
    /// How it ended, once that is known.
    private var ending: String?

    /// Most bytes of a line.
    static let longestLine = 1 << 28
    /// Two processes are not started at once: the second would keep the first one's pipes open.
    private static let starting = Mutex(())

    /// Starts `sh -c command` with more variables in its environment.
    ///
    /// - Throws: `EvaluatorFailure` where the system cannot start it.
    init(_ command: String, environment: [String: String]) throws(EvaluatorFailure) {
        // A process that ends while it is written to is told by an error, not by a signal.
        signal(SIGPIPE, SIG_IGN)
        let started: (pid: pid_t, input: Int32, output: Int32, errors: Int32)?
        started = Self.starting.withLock { _ in Self.start(command, environment) }
        guard let started else {
            throw EvaluatorFailure("cannot be started: \(String(cString: strerror(errno)))")
        }
        (process, input, output, errors) = started
    }

    private static func start(
        _ command: String, _ environment: [String: String]
    ) -> (pid: pid_t, input: Int32, output: Int32, errors: Int32)? {
        var (toChild, fromChild): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
        var name = Array(
            FileManager.default.temporaryDirectory.appending(path: "bitplan-XXXXXX").path.utf8CString)
        let errors = mkstemp(&name)
        guard errors >= 0 else { return nil }
        unlink(name)
        guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else {
            for descriptor in toChild + fromChild + [errors] { close(descriptor) }
            return nil
        }
        for descriptor in toChild + fromChild + [errors] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        #if canImport(Darwin)
            var (actions, attributes): (posix_spawn_file_actions_t?, posix_spawnattr_t?) = (nil, nil)
        #else
            var (actions, attributes) = (posix_spawn_file_actions_t(), posix_spawnattr_t())
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (descriptor, place) in [(toChild[0], 0), (fromChild[1], 1), (errors, 2)] as [(Int32, Int32)] {
            posix_spawn_file_actions_adddup2(&actions, descriptor, place)
        }
        // Its own group, and a broken pipe ends it as it ends any program.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(truncatingIfNeeded: Int(POSIX_SPAWN_SETPGROUP) | Int(POSIX_SPAWN_SETSIGDEF)))
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let words: [UnsafeMutablePointer<CChar>?] =
            ["sh", "-c", command].map { (word: String) in strdup(word) } + [nil]
        let settings: [UnsafeMutablePointer<CChar>?] =
            variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in words + settings { free(text) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, "/bin/sh", &actions, &attributes, words, settings)
        close(toChild[0])
        close(fromChild[1])
        guard status == 0 else {
            for descriptor in [toChild[1], fromChild[0], errors] { close(descriptor) }
            errno = status
            return nil
        }
        for descriptor in [toChild[1], fromChild[0]] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        return (pid, toChild[1], fromChild[0], errors)
    }

    deinit {
        close(input)
        close(output)
        end()
        close(errors)
    }

    /// Writes a line and reads the one that answers it.
    ///
    /// - Parameter seconds: how long it may take.
    /// - Throws: `EvaluatorFailure` where the process ends, is silent for too long, or ends within a line.
    func answer(_ line: Data, within seconds: Double) throws(EvaluatorFailure) -> Data {
        let deadline = ContinuousClock.now + .seconds(seconds)
        try write(Array(line), until: deadline, seconds)
        var searched = 0
        while true {
            if let end = received[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeSubrange(...end) }
                return Data(received[..<end])
            }
            searched = received.count
            guard searched < Self.longestLine else {
                throw EvaluatorFailure("wrote a line of more than \(Self.longestLine) bytes")
            }
            try wait(output, for: Int16(POLLIN), until: deadline, seconds)
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            let count = read(output, &buffer, buffer.count)
            if count > 0 {
                received += buffer[..<count]
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                let rest = received.isEmpty ? "" : " within a line, after \(received.count) bytes of it"
                throw EvaluatorFailure("\(howItEnded())\(rest)")
            }
        }
    }

    private func write(
        _ bytes: [UInt8], until deadline: ContinuousClock.Instant, _ seconds: Double
    ) throws(EvaluatorFailure) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Foundation.write(input, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
            } else if errno == EAGAIN || errno == EINTR {
                try wait(input, for: Int16(POLLOUT), until: deadline, seconds)
            } else {
                throw EvaluatorFailure(howItEnded())
            }
        }
    }

    private func wait(
        _ descriptor: Int32, for event: Int16, until deadline: ContinuousClock.Instant, _ seconds: Double
    ) throws(EvaluatorFailure) {
        while true {
            let left = (deadline - .now) / .milliseconds(1)
            guard left > 0 else {
                throw EvaluatorFailure("did not answer within \(seconds) s (--timeout)\(lastWords)")
            }
            var descriptors = [pollfd(fd: descriptor, events: event, revents: 0)]
            let ready = poll(&descriptors, 1, Int32(min(left.rounded(.up), 1e9)))
            if ready > 0 || (ready < 0 && errno != EINTR) { return }
        }
    }

    /// How it ended, with its last words.
    private func howItEnded() -> String {
        // It may be about to end by itself: that says more than that it was killed.
        for _ in 0..<100 where ending == nil {
            var status: Int32 = 0
            guard waitpid(process, &status, WNOHANG) != process else {
                ending = Self.text(status)
                break
            }
            usleep(10_000)
        }
        let ending = ending ?? "closed its output"
        return ending + lastWords
    }

    private static func text(_ status: Int32) -> String {
        let code = (status >> 8) & 0xFF
        // A shell that waited for a program says so that a signal ended that.
        let signal = status & 0x7F > 0 ? status & 0x7F : code > 128 ? code - 128 : 0
        return signal == 0 ? "ended with status \(code)" : "was ended by signal \(signal)"
    }

    /// Ends it, with all that it started; it may end by itself first, now that its input has ended.
    private func end() {
        for _ in 0..<50 where ending == nil {
            var status: Int32 = 0
            if waitpid(process, &status, WNOHANG) == process { ending = Self.text(status) }
            usleep(10_000)
        }
        kill(-process, SIGKILL)
        guard ending == nil else { return }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }

    /// The last line of its standard error.
    private var lastWords: String {
        let size = lseek(errors, 0, SEEK_END)
        let start = max(0, size - 4096)
        var buffer = [UInt8](repeating: 0, count: Int(size - start))
        let count = pread(errors, &buffer, buffer.count, start)
        let lines = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).split(
            whereSeparator: \.isNewline)
        return lines.last.map { "; the last line of its standard error: \($0)" } ?? ""
    }
}
