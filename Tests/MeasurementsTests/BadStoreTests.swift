import BitplanMeasurements
import BitplanMetrics
import BitplanTensors
import Foundation
import GRDB
import PlanFormat
import Testing

/// Files that are no store, or no longer one: refused with one line, and never believed.
@Suite struct BadStoreTests {
    private func refusal(_ file: URL) throws -> String {
        do {
            let store = try MeasurementStore(file)
            _ = try StoredExperiment(.test(), in: store).cell(numbered(1))
            _ = try store.summary()
            return "accepted"
        } catch {
            #expect(error.path == file.path && !error.message.contains("\n"))
            return error.message
        }
    }

    @Test func foreignFiles() throws {
        let directory = try StoreDirectory()
        let text = directory.file("text")
        let lines = Data(String(repeating: "no database\n", count: 1000).utf8)
        try lines.write(to: text)
        #expect(try refusal(text).contains("is no measurement store"))
        #expect(try Data(contentsOf: text) == lines, "and left as it is")

        let other = directory.file("other")
        try DatabaseQueue(path: other.path).write { try $0.execute(sql: "CREATE TABLE recipe (name TEXT)") }
        let before = try Data(contentsOf: other)
        #expect(try refusal(other).contains("another program"))
        #expect(try Data(contentsOf: other) == before, "and left as it is")

        #expect(try refusal(directory.root).contains("got a directory"))
        try Data().write(to: directory.file("empty"))
        #expect(try refusal(directory.file("empty")) == "accepted", "as SQLite itself makes files")
        #expect(try refusal(text.appending(path: "below")).contains("cannot be made"))
    }

    @Test func newerSchemaIsRefusedByName() throws {
        let directory = try StoreDirectory()
        let file = directory.file("a")
        _ = try MeasurementStore(file)
        let next = MeasurementStore.currentSchema + 1
        try DatabaseQueue(path: file.path).writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA user_version = \(next)")
        }
        let message = try refusal(file)
        #expect(message.contains("schema \(next)") && message.contains("newer bitplan"), "\(message)")
    }

    /// A metric whose bytes changed is not believed, whatever SQLite thinks of the file.
    @Test func damagedMetricsAreRefused() throws {
        let directory = try StoreDirectory()
        for number in 0..<8 {
            let file = directory.file("\(number)")
            do {
                let cells = try StoredExperiment(.test(), in: MeasurementStore(file))
                let items = MetricItems.accuracy(isRight: [true, false, true])
                try cells.record(items, metric: "m", of: numbered(1))
            }
            // One of the record's bytes, or one too many.
            let record: [UInt8] = [1, 3, 1, 0, 1]
            var other = record
            if number < 5 { other[number] ^= 1 } else { other += [UInt8](repeating: 0, count: number - 4) }
            try DatabaseQueue(path: file.path).write { db in
                let kept = try Data.fetchOne(db, sql: "SELECT record FROM metric")
                #expect(kept == Data(record))
                try db.execute(sql: "UPDATE metric SET record = ?", arguments: [Data(other)])
            }
            #expect(try refusal(file).contains("is damaged"), "\(number)")
        }
    }

    /// Whatever bytes change, wrong losses are never given out: right ones, none, or an error.
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func damageIsNeverBelieved(seed: UInt64) throws {
        let directory = try StoreDirectory()
        let file = directory.file("a")
        var generator = SeededGenerator(seed: seed)
        var expected: [[ItemScore]] = []
        do {
            let cells = try StoredExperiment(.test(), in: MeasurementStore(file))
            for number in 0..<30 {
                expected.append(generator.losses(10 + generator.index(below: 200)))
                try cells.record(expected[number], of: numbered(number))
            }
        }
        let sound = try Data(contentsOf: file)
        var (errors, wrong) = (0, 0)
        for trial in 0..<150 {
            var damaged = sound
            if trial % 6 == 0 {
                damaged = damaged.prefix(generator.index(below: damaged.count))
            } else {
                // Behind the first page's header: what it says of the file's kind is tested above.
                for _ in 0...generator.index(below: 4) {
                    damaged[100 + generator.index(below: damaged.count - 100)] ^= UInt8(
                        1 << generator.index(below: 8))
                }
            }
            for leftover in ["-wal", "-shm"] {
                try? FileManager.default.removeItem(at: directory.file("a" + leftover))
            }
            try damaged.write(to: file)
            do {
                let cells = try StoredExperiment(.test(), in: MeasurementStore(file))
                for number in expected.indices {
                    do {
                        let losses = try cells.cell(numbered(number)).items
                        if !losses.isEmpty, !sameBits(losses, expected[number]) { wrong += 1 }
                    } catch {
                        #expect(!error.message.contains("\n"))
                        errors += 1
                    }
                }
            } catch {
                #expect(!error.message.contains("\n"))
                errors += 1
            }
        }
        #expect(wrong == 0, "seed \(seed)")
        #expect(errors > 20, "seed \(seed): damage is noticed, \(errors) times")
    }

    @Test("A store that was cut off anywhere opens, or its error says that it is damaged")
    func cutStores() throws {
        let directory = try StoreDirectory()
        let file = directory.file("a")
        var generator = SeededGenerator(seed: 3)
        let expected = (0..<10).map { _ in generator.losses(50) }
        do {
            let cells = try StoredExperiment(.test(), in: MeasurementStore(file))
            for (number, losses) in expected.enumerated() { try cells.record(losses, of: numbered(number)) }
        }
        let sound = try Data(contentsOf: file)
        let cuts = Array(0...128) + Array(stride(from: 129, to: sound.count, by: 331)) + [sound.count - 1]
        var refused = 0
        for cut in cuts {
            for leftover in ["-wal", "-shm"] {
                try? FileManager.default.removeItem(at: directory.file("a" + leftover))
            }
            try sound.prefix(cut).write(to: file)
            do {
                let cells = try StoredExperiment(.test(), in: MeasurementStore(file))
                for (number, losses) in expected.enumerated() {
                    let items = try cells.cell(numbered(number)).items
                    #expect(items.isEmpty || sameBits(items, losses), "cut at \(cut)")
                }
            } catch {
                #expect(
                    ["is damaged; move it away", "is no measurement store"].contains(
                        where: error.message.contains),
                    "cut at \(cut): \(error.message)")
                refused += 1
            }
        }
        #expect(refused > cuts.count / 2)
    }
}
