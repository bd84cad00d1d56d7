import BitplanKernels
import BitplanModels
import Foundation
import PlanFormat

/// Measures a machine: the kernels of schemes, and the overheads of families.
package struct Profiler {
    /// Schemes whose kernels are timed, each kernel once.
    package let schemes: [Scheme]
    /// The products that are timed.
    package let grid: KernelGrid
    /// Families whose overheads are timed.
    package let families: [any ModelFamily.Type]

    /// A profiler of these schemes and families.
    package init(schemes: [Scheme], grid: KernelGrid = .standard, families: [any ModelFamily.Type]) {
        var kernels: [Scheme] = []
        for scheme in schemes.map(\.kernel) where !kernels.contains(scheme) { kernels.append(scheme) }
        self.schemes = kernels
        self.grid = grid
        self.families = families
    }

    /// What plans and presets are usually made of, the default candidates included.
    package static let usualSchemes: [Scheme] = {
        let named: [Scheme] =
            (Scheme.list(
                "fp32,fp16,bcq1..4,emb4:r1,int2..8,int4:g64,nf4,index8,w8a8,sign,bitlinear,pq:b8:k256")
                ?? [])
            + [false, true].flatMap { rotation in
                (2...8).map { .trellisCodes(pairBits: $0, rotation: rotation) }
            }
        return named + Scheme.automatic.map(\.kernel).filter { !named.contains($0) }
    }()

    /// Measures everything.
    ///
    /// - Parameters:
    ///   - tool: program and version, which the profile names.
    ///   - progress: called with the number of parts done and their total.
    package func profile(tool: String, progress: (Int, Int) -> Void = { _, _ in }) throws -> LatencyProfile {
        let reference = try ReferenceWork()
        let total = schemes.count + families.count
        var overheads: [LatencyProfile.OverheadTimes] = []
        var measured = 0
        for family in families {
            let times = try OverheadMeasurement(
                modelType: family.modelType, specimens: family.specimens(), repetitions: grid.repetitions,
                reference: reference
            ).times()
            overheads += family.modelTypes.map { times.named($0) }
            measured += 1
            progress(measured, total)
        }
        var kernels: [LatencyProfile.KernelTimes] = []
        for scheme in schemes {
            let measurement = KernelMeasurement(scheme: scheme, grid: grid, reference: reference)
            kernels.append(
                .init(scheme: scheme, points: try measurement.points(), lookups: try measurement.lookups()))
            progress(measured + kernels.count, total)
        }
        let unit = reference.undisturbedSeconds
        return LatencyProfile(
            tool: tool,
            machine: .init(
                processor: processorName(), instructions: InstructionSet.best.description,
                referenceSeconds: unit, disturbance: reference.medianSeconds / unit - 1),
            kernels: kernels.map { $0.scaled(by: unit) }, overheads: overheads.map { $0.scaled(by: unit) })
    }
}

/// The processor as the system names it.
func processorName() -> String {
    #if os(Linux)
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let keys = ["model name", "Model", "CPU part"]
        for key in keys {
            if let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }),
                let value = line.split(separator: ":", maxSplits: 1).last
            {
                return value.trimmingCharacters(in: .whitespaces)
            }
        }
        return "unknown"
    #else
        var size = 0
        sysctlbyname("machdep.cpu.brand_string", nil, &size, nil, 0)
        var bytes = [CChar](repeating: 0, count: size + 1)
        sysctlbyname("machdep.cpu.brand_string", &bytes, &size, nil, 0)
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    #endif
}
