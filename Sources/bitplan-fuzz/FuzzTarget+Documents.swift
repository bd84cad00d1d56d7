import BitplanExporting
import BitplanLatency
import BitplanMeasurements
import BitplanModels
import BitplanPlanning
import BitplanReporting
import BitplanTensors
import BitplanWorkflows
import Foundation
import PlanFormat

extension FuzzTarget {
    /// bitplan's own files.
    static let documents: [FuzzTarget] = [
        FuzzTarget(name: "plan", file: "plan.json") { file in
            let plan = try JSONFile.read(Plan.self, from: file)
            for layout in layouts {
                guard (try? plan.schemes(of: plan.layout(of: layout))) != nil else { continue }
                for consumer in Consumer.allCases {
                    _ = try? plan.export(layout, to: consumer, nearest: true)
                }
            }
        },
        FuzzTarget(name: "table", file: "table.json") { file in
            let table = try readTable(file)
            _ = table.markdown
            _ = try additivePlan(table, target: PlanTarget(size: .compression(4)))
        },
        FuzzTarget(name: "comparison", file: "comparison.json") { _ = try readComparison($0) },
        FuzzTarget(name: "training-log", file: "log.json") { file in
            let log = try JSONFile.read(TrainingLog.self, from: file)
            _ = log.markdown(title: "Training", figure: nil)
            _ = log.curveSVG
        },
        FuzzTarget(name: "profile", file: "profile.json") { file in
            let profile = try readProfile(file)
            for (layout, overhead) in zip(layouts, profile.overheads) {
                let model = try LatencyModel(profile, layout: layout, modelType: overhead.modelType)
                let schemes = layout.uniform(profile.kernels.first?.scheme ?? .fp32)
                _ = try model.predict(schemes, Workload(read: 6, steps: 5, predictions: 5)).seconds
            }
        },
        FuzzTarget(name: "store", file: "store.sqlite") { file in
            for suffix in ["-wal", "-shm"] { unlink(file.path + suffix) }
            let store = try MeasurementStore(file)
            try store.check()
            _ = try store.summary()
            _ = try store.prune()
        },
    ]

    /// Those of the fixtures.
    static let layouts: [ModelLayout] = [
        try? MarianNativeFamily(directory: URL(filePath: "Fixtures/marian-native")).layout,
        try? BertFamily(directory: URL(filePath: goldens + "tiny-bert")).layout,
        try? LlamaFamily(directory: URL(filePath: goldens + "tiny-llama")).layout,
    ].compactMap { $0 }
}
