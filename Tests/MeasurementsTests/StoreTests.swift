import BitplanMeasurements
import BitplanMetrics
import BitplanTensors
import Foundation
import GRDB
import PlanFormat
import Testing

/// What a store is given it gives back, to everyone and for nothing else.
@Suite struct StoreTests {
    @Test(arguments: [UInt64(1), 2, 3])
    func everyBitComesBack(seed: UInt64) throws {
        let directory = try StoreDirectory()
        var generator = SeededGenerator(seed: seed)
        var expected: [[ItemScore]] = []
        do {
            let cells = try StoredExperiment(.test(), in: MeasurementStore(directory.file("a")))
            for number in 0..<40 {
                expected.append(generator.losses(1 + generator.index(below: 60)))
                try cells.record(expected[number], of: numbered(number))
                #expect(sameBits(try cells.cell(numbered(number)).items, expected[number]))
            }
        }
        // And to who opens the file later.
        let cells = try StoredExperiment(.test(), in: MeasurementStore(directory.file("a")))
        for number in expected.indices {
            let losses = try cells.cell(numbered(number)).items
            #expect(sameBits(losses, expected[number]), "seed \(seed), cell \(number)")
        }
        #expect(try cells.cell(numbered(40)) == StoredCell())
    }

    @Test func metricsComeBackBitForBit() throws {
        let directory = try StoreDirectory()
        let store = try MeasurementStore(directory.file("a"))
        let cells = try StoredExperiment(.test(), in: store)
        let counts = (0..<300).map { $0 * $0 * $0 * $0 }
        let metrics: [String: MetricItems] = [
            "accuracy": .accuracy(isRight: (0..<300).map { $0 % 3 == 0 }),
            "bleu": .bleu(
                (0..<30).map { start in
                    BLEU.Statistics(
                        matches: SIMD4(counts[start..<start + 4]),
                        totals: SIMD4(counts[start + 4..<start + 8]),
                        hypothesisLength: start, referenceLength: 200 * start)
                }),
            "spearman": .spearman(
                predicted: [0.1 + 0.2, -.infinity, .leastNonzeroMagnitude], right: [1, 2, 0]),
            "perplexity": .perplexity([TokenLoss(nats: 36.28, tokens: 1_000_000), .zero]),
            "none": .accuracy(isRight: []),
        ]
        for (name, items) in metrics { try cells.record(items, metric: name, of: numbered(1)) }
        #expect(try cells.cell(numbered(1)).metrics == metrics)
        let odd = MetricItems.spearman(predicted: [-0.0, .nan], right: [0, 1])
        try cells.record(odd, metric: "odd", of: numbered(3))
        let back = try #require(try cells.cell(numbered(3)).metrics["odd"])
        guard case .spearman(let predicted, _) = back else { throw FileError(store.file, "another metric") }
        #expect(predicted.map(\.bitPattern) == [(-0.0).bitPattern, Double.nan.bitPattern])
        #expect(try cells.cell(numbered(1)).items == [] && cells.cell(numbered(2)).metrics == [:])
    }

    @Test func moreItemsReplaceFewer() throws {
        let directory = try StoreDirectory()
        let cells = try StoredExperiment(.test(), in: MeasurementStore(directory.file("a")))
        var generator = SeededGenerator(seed: 4)
        let losses = generator.losses(20)
        try cells.record(Array(losses[..<7]), of: numbered(1))
        try cells.record(losses, of: numbered(1))
        #expect(sameBits(try cells.cell(numbered(1)).items, losses))
        try cells.record(Array(losses[..<9]), of: numbered(1))
        #expect(sameBits(try cells.cell(numbered(1)).items, losses))
    }

    /// A cell is found under its own key only: every part of the key counts.
    @Test func everyPartOfTheKeyCounts() throws {
        let directory = try StoreDirectory()
        let store = try MeasurementStore(directory.file("a"))
        let base = Experiment.test()
        var others: [Experiment] = []
        for change: (inout Experiment) -> Void in [
            { $0.weights += "x" }, { $0.configuration += "x" }, { $0.data += "x" }, { $0.calibration += "x" },
            { $0.fit = .refined }, { $0.encoding = .inOrder }, { $0.version += 1 },
        ] {
            var other = base
            change(&other)
            others.append(other)
        }
        var generator = SeededGenerator(seed: 5)
        let losses = generator.losses(3)
        try StoredExperiment(base, in: store).record(losses, of: numbered(5))
        for other in others {
            let cell = try StoredExperiment(other, in: store).cell(numbered(5))
            #expect(cell == StoredCell(), "\(other)")
        }
        let again = try StoredExperiment(base, in: store)
        for number in 0..<64 where number != 5 { #expect(try again.cell(numbered(number)) == StoredCell()) }
        #expect(sameBits(try again.cell(numbered(5)).items, losses))
    }

    @Test func cellsAreClaimedByOne() throws {
        let directory = try StoreDirectory()
        let first = try StoredExperiment(.test(), in: MeasurementStore(directory.file("a")))
        let second = try StoredExperiment(.test(), in: MeasurementStore(directory.file("a")))
        func turn(_ cells: StoredExperiment, _ number: Int = 1) throws -> String {
            switch try cells.turn(numbered(number), isEnough: { $0.items.count >= 2 }) {
            case .known(let cell): "known \(cell.items.count)"
            case .claimed(let cell): "claimed \(cell.items.count)"
            case .others: "others"
            }
        }
        #expect(try turn(first) == "claimed 0")
        #expect(try turn(first) == "claimed 0", "its own claim hinders nobody")
        #expect(try turn(second) == "others")
        #expect(try turn(second, 2) == "claimed 0")
        var generator = SeededGenerator(seed: 6)
        let losses = generator.losses(2)
        try first.record([losses[0]], of: numbered(1))
        #expect(try turn(second) == "others", "not finished")
        try first.release(numbered(1))
        #expect(try turn(second) == "claimed 1", "what is known of it goes along")
        try second.record(losses, of: numbered(1))
        #expect(try turn(first) == "known 2")
        try first.release(numbered(2))
        #expect(try turn(first, 2) == "others", "nobody releases what is another's")
    }

    /// Claims end with their process, or with its silence.
    @Test func claimsOfTheGoneDoNotCount() throws {
        let directory = try StoreDirectory()
        let gone = Process()
        gone.executableURL = URL(filePath: "/bin/sh")
        gone.arguments = ["-c", "true"]
        try gone.run()
        gone.waitUntilExit()
        let now = Date().timeIntervalSince1970
        let host = ProcessInfo.processInfo.hostName
        let own = ProcessInfo.processInfo.processIdentifier
        let claims: [(host: String, process: Int32, heartbeat: Double, isGone: Bool)] = [
            (host, gone.processIdentifier, now, true), (host, own, now, false), (host, own, now - 3600, true),
            (host + "x", gone.processIdentifier, now, false), (host + "x", own, now - 3600, true),
        ]
        for claim in claims {
            let file = directory.file(UUID().uuidString)
            let cells = try StoredExperiment(.test(), in: MeasurementStore(file))
            try DatabaseQueue(path: file.path).write { db in
                try db.execute(
                    sql: "INSERT INTO claim SELECT id, ?, ?, ?, 'someone', ? FROM experiment",
                    arguments: [
                        numbered(1).map(\.description).joined(separator: " "), claim.host, claim.process,
                        claim.heartbeat,
                    ])
            }
            let turn = try cells.turn(numbered(1), isEnough: { _ in false })
            if case .others = turn {
                #expect(!claim.isGone, "\(claim)")
            } else {
                #expect(claim.isGone, "\(claim)")
            }
        }
    }

    @Test func writersDoNotHinderEachOther() throws {
        let directory = try StoreDirectory()
        let file = directory.file("a")
        DispatchQueue.concurrentPerform(iterations: 8) { worker in
            do {
                // Made, opened and written by all at the same time.
                let cells = try StoredExperiment(.test(), in: MeasurementStore(file))
                var generator = SeededGenerator(seed: UInt64(worker))
                for number in 0..<20 {
                    try cells.record(generator.losses(5), of: numbered(worker << 5 + number))
                }
            } catch {
                Issue.record("worker \(worker): \(error)")
            }
        }
        let summary = try MeasurementStore(file).summary()
        #expect(summary.experiments.map(\.cells) == [160] && summary.experiments.map(\.items) == [800])
        #expect(summary.schema == MeasurementStore.currentSchema && summary.bytes > 0)
    }

    @Test func defaultFileLiesInTheCache() {
        func path(_ environment: [String: String]) -> String {
            MeasurementStore.defaultFile(environment: environment).path
        }
        #expect(path(["HOME": "/h", "XDG_CACHE_HOME": "/c"]) == "/c/bitplan/measurements.sqlite")
        #if os(macOS)
            let cache = "/h/Library/Caches"
        #else
            let cache = "/h/.cache"
        #endif
        #expect(path(["HOME": "/h"]) == cache + "/bitplan/measurements.sqlite")
        #expect(path(["HOME": "/h", "XDG_CACHE_HOME": "c"]) == cache + "/bitplan/measurements.sqlite")
    }

    /// A store of the first schema keeps its cells; its metrics, which are values alone, are measured again.
    @Test func firstSchemaIsBroughtUpToDate() throws {
        let directory = try StoreDirectory()
        let file = directory.file("a")
        var generator = SeededGenerator(seed: 12)
        let losses = generator.losses(40)
        do {
            let cells = try StoredExperiment(.test(), in: MeasurementStore(file))
            try cells.record(losses, of: numbered(1))
        }
        // The tables as the first schema had them.
        try DatabaseQueue(path: file.path).writeWithoutTransaction { db in
            try db.execute(
                sql: """
                    DROP TABLE own_output;
                    DROP TABLE metric;
                    CREATE TABLE metric (
                        experiment INTEGER NOT NULL REFERENCES experiment (id), assignment TEXT NOT NULL,
                        name TEXT NOT NULL, bits INTEGER NOT NULL, checksum INTEGER NOT NULL,
                        PRIMARY KEY (experiment, assignment, name)
                    ) WITHOUT ROWID;
                    INSERT INTO metric VALUES (1, 'bcq1', 'm', 7, 8);
                    PRAGMA user_version = 1;
                    """)
        }
        let items = MetricItems.accuracy(isRight: [true, false])
        do {
            let store = try MeasurementStore(file)
            let cells = try StoredExperiment(.test(), in: store)
            #expect(sameBits(try cells.cell(numbered(1)).items, losses) && store.file == file)
            #expect(try cells.cell(numbered(1)).metrics == [:])
            try cells.record(items, metric: "m", of: numbered(1))
            try store.check()
        }
        let again = try MeasurementStore(file)
        #expect(try StoredExperiment(.test(), in: again).cell(numbered(1)).metrics == ["m": items])
    }
}
