// For Android Studio. Never run where this was written: no registry there has Gradle.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "edgetune-android"
include(":core", ":engine-onnx", ":engine-executorch", ":app")
