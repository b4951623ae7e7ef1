// "did you mean": the known name nearest to a mistyped one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pgcourier::config {

// Empty: none is near enough to be meant.
std::string nearest_name(std::string_view written, std::span<const std::string_view> known);

}  // namespace pgcourier::config
