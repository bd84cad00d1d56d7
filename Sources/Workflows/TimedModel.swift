import BitplanModels
import BitplanSensitivity
import BitplanTensors
import Foundation
import PlanFormat

/// A model and its data, with what the parts of measuring it cost: what estimates are made of.
struct TimedModel<Family: ModelFamily> {
    let model: Model<Family>
    let reader: KLDataReader<Family>
    let data: Dataset<Family.Net.Example>
    /// What assignments give schemes to.
    let layout: ModelLayout
    let units: UnitCosts
    let network: Family.Net
    /// What the sweep tries of this model.
    let sweep: SweepOptions
    private let options: MeasuringOptions
    /// Per sublayer of `layout`, the first of the network's sublayers that changes with it.
    let places: [Int]

    /// Times the parts on a few items.
    ///
    /// - Parameters: as of `MeasuredModel.estimate`.
    init(
        _ directory: URL, source: DataSource, calibration: DataSource?, options: MeasuringOptions,
        sweep: SweepOptions
    ) throws {
        model = try Model<Family>(directory: directory, languages: options.task.languages)
        self.sweep = try sweep.adapted(to: model)
        reader = KLDataReader(model, options: options.task, store: options.store)
        data = try reader.read(source)
        let text = try calibration.map { [reader] in try reader.read($0).examples } ?? data.examples
        network = try reader.network()
        units = try UnitCosts(
            model, network, examples: shuffled(data.examples), text: text, candidates: self.sweep.candidates,
            fit: options.fit, splitsWeights: !options.isNaive, residentBytes: peakMemoryBytes)
        layout = model.layout.divided(into: options.unit)
        places = layout.places
        self.options = options
    }

    /// The task's metric over all items, in CPU seconds; 0 without references.
    func metricSeconds() throws -> Double {
        let few = Dataset(
            examples: Array(data.examples.prefix(units.items)),
            references: Array(data.references.prefix(units.items)))
        let start = processSeconds()
        _ = try model.family.task.score(network, on: few, options: options.task)
        guard data.hasReferences else { return 0 }
        return (processSeconds() - start) * Double(data.examples.count) / Double(max(1, units.items))
    }

    /// The first of the network's sublayers that an assignment changes.
    func firstChange(_ assignment: Assignment) -> Int {
        assignment.indices.filter { assignment[$0] != .fp32 }.map { places[$0] }.min() ?? 0
    }
}
