// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "bitplan",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "bitplan", targets: ["bitplan"]),
        .executable(name: "bitplan-bench", targets: ["bitplan-bench"]),
        .library(name: "BitplanKit", targets: ["Workflows"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-crypto", "3.12.3"..<"5.0.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // The planner: pure data and the solver.
        .target(name: "PlanFormat"),
        .target(name: "Allocation", dependencies: ["PlanFormat"]),

        // Numbers and products.
        .target(name: "Tensors", dependencies: ["PlanFormat"]),
        .target(name: "CKernels"),
        .target(
            name: "Kernels", dependencies: ["CKernels", "PlanFormat", "Tensors"], exclude: ["Layouts.md"]),
        .target(name: "Quantizers", dependencies: ["Kernels", "PlanFormat", "Tensors"]),

        // Text in and out. SentencePiece is C++, so a bridge with a C header stands between.
        .systemLibrary(
            name: "CSentencePiece", pkgConfig: "sentencepiece",
            providers: [.apt(["libsentencepiece-dev"]), .brew(["sentencepiece"])]),
        .target(name: "SentencePieceBridge", dependencies: ["CSentencePiece"]),
        .target(name: "Tokenizers", dependencies: ["SentencePieceBridge"]),
        .target(name: "Metrics"),

        // The engine, the sweep and what is made of them.
        .target(
            name: "Models", dependencies: ["Kernels", "Metrics", "PlanFormat", "Tensors", "Tokenizers"]),
        .target(
            name: "Sensitivity",
            dependencies: [
                "Kernels", "Metrics", "Models", "PlanFormat", "Quantizers", "Tensors",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .target(name: "Latency", dependencies: ["Kernels", "Models", "PlanFormat", "Quantizers", "Tensors"]),
        .target(name: "Reporting", dependencies: ["PlanFormat"]),
        .target(name: "Exporting", dependencies: ["PlanFormat"]),
        .target(
            name: "Workflows",
            dependencies: [
                "Allocation", "Kernels", "Latency", "Metrics", "Models", "PlanFormat", "Quantizers",
                "Reporting", "Sensitivity", "Tensors", "Tokenizers",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .executableTarget(
            name: "bitplan",
            dependencies: [
                "Allocation", "Exporting", "Latency", "Models", "PlanFormat", "Reporting", "Sensitivity",
                "Tensors", "Workflows",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(
            name: "bitplan-bench",
            dependencies: [
                "Kernels", "Models", "PlanFormat", "Quantizers", "Tensors", "Workflows",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        // One test target a room, and one that runs the binary.
        .target(name: "TestSupport", dependencies: ["Tensors"], path: "Tests/TestSupport"),
        .testTarget(name: "PlanFormatTests", dependencies: ["PlanFormat", "TestSupport"]),
        .testTarget(
            name: "AllocationTests", dependencies: ["Allocation", "PlanFormat", "TestSupport"],
            exclude: ["Goldens"]),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "TestSupport"]),
        .testTarget(
            name: "KernelsTests", dependencies: ["Kernels", "Quantizers", "TestSupport"], exclude: ["Goldens"]
        ),
        .testTarget(
            name: "QuantizersTests", dependencies: ["Quantizers", "TestSupport"], exclude: ["Goldens"]),
        .testTarget(
            name: "TokenizersTests", dependencies: ["Tokenizers", "TestSupport"], exclude: ["Goldens"]),
        .testTarget(name: "MetricsTests", dependencies: ["Metrics", "TestSupport"], exclude: ["Goldens"]),
        .testTarget(
            name: "ModelsTests", dependencies: ["Models", "Metrics", "TestSupport"], exclude: ["Goldens"]),
        .testTarget(
            name: "SensitivityTests",
            dependencies: [
                "Sensitivity", "Models", "Quantizers", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ], exclude: ["Goldens"]),
        .testTarget(name: "LatencyTests", dependencies: ["Latency", "Models", "TestSupport"]),
        .testTarget(name: "ReportingTests", dependencies: ["Reporting", "PlanFormat", "TestSupport"]),
        .testTarget(
            name: "ExportingTests", dependencies: ["Exporting", "PlanFormat", "TestSupport"],
            exclude: ["Goldens"]),
        .testTarget(name: "WorkflowsTests", dependencies: ["Workflows", "TestSupport"]),
        .testTarget(name: "CommandTests", dependencies: ["bitplan", "Kernels", "Tensors", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
