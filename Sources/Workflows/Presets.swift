import BitplanModels
import Foundation
import PlanFormat

/// The plan of a preset for a model.
///
/// - Throws: `PresetError` where the model has not the sublayers for it, and one-line errors of the model.
package func presetPlan<Family: ModelFamily>(
    _ family: Family.Type, _ directory: URL, _ preset: Preset, fit: CodeFit
) throws -> Plan {
    let model = try Model<Family>(directory: directory)
    return Plan.naming(
        try preset.schemes(of: model.layout, modelType: model.family.type), of: model.layout,
        model: try model.identity(), origin: .preset(preset), fit: fit)
}
