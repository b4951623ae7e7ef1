// Sizes (`64MiB`) and durations (`10s`) as settings write them.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace pgcourier::config {

// B, KiB, MiB, GiB, TiB. Throws SettingsError with what is wrong, without the key.
std::size_t parse_size(std::string_view text);

// ms, s, m, h, d. Throws SettingsError with what is wrong, without the key.
std::chrono::milliseconds parse_duration(std::string_view text);

}  // namespace pgcourier::config
