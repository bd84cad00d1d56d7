// Plans a model for a tenth of its size, packs it, and runs what was packed.
// usage: PlanForSize MODEL SOURCE REFERENCE OUTPUT
import Bitplan
import Foundation

// snippet.hide
let paths = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
guard paths.count == 4 else { fatalError("usage: PlanForSize MODEL SOURCE REFERENCE OUTPUT") }
// snippet.show

let model = try Model(at: paths[0])
let data = TextData([paths[1], paths[2]], limit: 20)
let table = try model.sweep(data, candidates: [.bcq(2), .bcq(3)], options: MeasuringOptions(fit: .greedy))
let plan = try model.plan(
    table, for: Target(size: SizeTarget("10x")), measuredOn: data,
    options: MeasuringOptions(fit: .greedy), effort: 50)
let packed = try model.quantize(plan, text: data, to: paths[3])

print(
    "\(plan.origin?.description ?? "plan"): \(plan.predicted?.bytes ?? 0) of \(model.layout.fullPrecisionBytes) bytes"
)
for answer in try packed.answer(["Where is the station?", "I like music."]) { print(answer) }
