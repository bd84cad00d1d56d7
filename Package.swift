// swift-tools-version: 6.0
import PackageDescription

/// A room of `Sources`: its target has the package's name before it, so that it clashes with no target of
/// other packages.
func room(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [],
    resources: [Resource] = []
) -> Target {
    .target(
        name: "Bitplan\(name)", dependencies: dependencies, path: "Sources/\(name)", exclude: exclude,
        resources: resources)
}

/// The tests of a room.
func tests(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.target(name: "Bitplan\(name)"), "TestSupport"] + dependencies,
        exclude: exclude
    )
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")

// pkg-config also names a library that only trains tokenizers; where headers lie in their usual place it is
// not asked.
#if os(Linux)
    let sentencePiecePackage: String? = nil
#else
    let sentencePiecePackage: String? = "sentencepiece"
#endif

let package = Package(
    name: "bitplan",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "bitplan", targets: ["BitplanProgram"]),
        .executable(name: "bitplan-bench", targets: ["bitplan-bench"]),
        .library(name: "Bitplan", targets: ["Bitplan"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // The planner: pure data and the solver.
        .target(name: "PlanFormat"),
        room("Allocation", ["PlanFormat"]),

        // Numbers and products.
        .systemLibrary(
            name: "CBitplanCrypto", path: "Sources/CCrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .target(name: "CBitplanFiles", path: "Sources/CFiles"),
        room("Tensors", ["CBitplanCrypto", "CBitplanFiles", "PlanFormat"]),
        .target(name: "CBitplanKernels", path: "Sources/CKernels"),
        room("Kernels", ["CBitplanKernels", "PlanFormat", "BitplanTensors"], exclude: ["Layouts.md"]),
        room("Quantizers", ["BitplanKernels", "PlanFormat", "BitplanTensors"]),

        // Text in and out. SentencePiece is C++, so a bridge with a C header stands between.
        .systemLibrary(
            name: "CBitplanSentencePiece", path: "Sources/CSentencePiece", pkgConfig: sentencePiecePackage,
            providers: [.apt(["libsentencepiece-dev"]), .brew(["sentencepiece"])]),
        .target(
            name: "BitplanSentencePieceBridge", dependencies: ["CBitplanSentencePiece"],
            path: "Sources/SentencePieceBridge", linkerSettings: [.linkedLibrary("sentencepiece")]),
        room("Tokenizers", ["BitplanSentencePieceBridge"]),
        room("Metrics", ["BitplanTensors", "PlanFormat"]),

        // The engine, the sweep and what is made of them.
        room(
            "Models",
            ["BitplanKernels", "BitplanMetrics", "PlanFormat", "BitplanTensors", "BitplanTokenizers"]),
        room(
            "Encoding",
            [
                "BitplanKernels", "BitplanModels", "PlanFormat", "BitplanQuantizers", "BitplanTensors",
                "BitplanTokenizers",
            ]),
        room("Measurements", ["BitplanMetrics", "PlanFormat", "BitplanTensors", grdb]),
        room(
            "Sensitivity",
            [
                "BitplanEncoding", "BitplanKernels", "BitplanMeasurements", "BitplanMetrics", "BitplanModels",
                "PlanFormat", "BitplanQuantizers", "BitplanTensors",
            ]),
        room(
            "Training",
            [
                "BitplanKernels", "BitplanModels", "BitplanMetrics", "PlanFormat", "BitplanQuantizers",
                "BitplanSensitivity", "BitplanTensors",
            ]),
        room(
            "Latency",
            ["BitplanKernels", "BitplanModels", "PlanFormat", "BitplanTensors"]),
        room(
            "Planning",
            ["BitplanAllocation", "BitplanLatency", "BitplanMetrics", "PlanFormat", "BitplanTensors"]),
        room(
            "Reporting", ["PlanFormat"],
            resources: [.embedInCode("Page/page.css"), .embedInCode("Page/page.js")]),
        room("Exporting", ["PlanFormat"]),
        room(
            "Evaluators",
            ["BitplanMeasurements", "BitplanMetrics", "BitplanSensitivity", "BitplanTensors", "PlanFormat"]),
        room(
            "Workflows",
            [
                "BitplanEncoding", "BitplanEvaluators", "BitplanKernels", "BitplanLatency",
                "BitplanMeasurements", "BitplanMetrics", "BitplanModels", "BitplanPlanning", "PlanFormat",
                "BitplanQuantizers", "BitplanReporting", "BitplanSensitivity", "BitplanTensors",
                "BitplanTokenizers", "BitplanTraining",
            ]),
        // What a library user sees.
        .target(
            name: "Bitplan",
            dependencies: [
                "BitplanAllocation", "BitplanEncoding", "BitplanExporting", "BitplanMeasurements",
                "BitplanModels", "BitplanPlanning", "BitplanReporting", "BitplanSensitivity",
                "BitplanTensors", "BitplanTokenizers", "BitplanTraining", "BitplanWorkflows", "PlanFormat",
            ]),
        .target(
            name: "BitplanCommand",
            dependencies: [
                "BitplanAllocation", "BitplanEncoding", "BitplanEvaluators", "BitplanExporting",
                "BitplanKernels", "BitplanLatency", "BitplanMeasurements", "BitplanModels", "BitplanPlanning",
                "PlanFormat", "BitplanReporting", "BitplanSensitivity", "BitplanTensors",
                "BitplanTokenizers", "BitplanTraining", "BitplanWorkflows", argumentParser,
            ]),
        .executableTarget(name: "BitplanProgram", dependencies: ["BitplanCommand"]),
        // Readers of files of others under random input: `make fuzz`, `make check`.
        .executableTarget(
            name: "bitplan-fuzz",
            dependencies: [
                "BitplanAllocation", "BitplanCommand", "BitplanEncoding", "BitplanExporting",
                "BitplanLatency", "BitplanMeasurements", "BitplanModels", "BitplanPlanning", "PlanFormat",
                "BitplanReporting", "BitplanSensitivity", "BitplanTensors", "BitplanTokenizers",
                "BitplanWorkflows", argumentParser,
            ]),
        .executableTarget(
            name: "bitplan-bench",
            dependencies: [
                "BitplanEncoding", "BitplanKernels", "BitplanLatency", "BitplanModels", "PlanFormat",
                "BitplanTensors", argumentParser,
            ]),

        // One test target a room, and one that runs the binary.
        .target(
            name: "TestSupport", dependencies: ["BitplanTensors", "PlanFormat"], path: "Tests/TestSupport"),
        .testTarget(
            name: "PlanFormatTests", dependencies: ["PlanFormat", "TestSupport"], exclude: ["Goldens"]),
        tests("Allocation", ["PlanFormat"], exclude: ["Goldens"]),
        tests("Tensors", ["PlanFormat"]),
        tests("Kernels", ["BitplanQuantizers"], exclude: ["Goldens"]),
        tests("Quantizers", exclude: ["Goldens"]),
        tests("Tokenizers", exclude: ["Goldens"]),
        tests("Metrics", exclude: ["Goldens"]),
        tests("Models", ["BitplanKernels", "BitplanMetrics", "BitplanTensors"], exclude: ["Goldens"]),
        tests("Encoding", ["BitplanModels"]),
        tests("Measurements", [grdb]),
        tests(
            "Sensitivity", ["BitplanEncoding", "BitplanModels", "BitplanQuantizers", "BitplanTensors"],
            exclude: ["Goldens"]),
        tests(
            "Training", ["BitplanKernels", "BitplanModels", "BitplanQuantizers", "BitplanTensors"],
            exclude: ["Goldens"]),
        tests("Latency", ["BitplanModels"]),
        tests("Planning", ["BitplanAllocation", "BitplanLatency", "PlanFormat"]),
        tests("Reporting", ["PlanFormat"]),
        tests("Exporting", ["PlanFormat"], exclude: ["Goldens"]),
        tests("Workflows", exclude: ["Goldens"]),
        .testTarget(name: "BitplanTests", dependencies: ["Bitplan", "TestSupport"]),
        .testTarget(
            name: "CommandTests",
            dependencies: ["BitplanProgram", "BitplanKernels", "BitplanTensors", "TestSupport"],
            exclude: ["StandIns"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
