// The words for what happens to a record that a sink can never take.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "config/settings.hpp"

namespace pgcourier::config {

inline constexpr auto undeliverable_policies =
    std::to_array<std::pair<std::string_view, Undeliverable>>(
        {{"stop", Undeliverable::stop},
         {"dead_letter", Undeliverable::dead_letter},
         {"skip", Undeliverable::skip}});

constexpr std::string_view name_of(Undeliverable policy) {
  const auto* found = std::find_if(undeliverable_policies.begin(), undeliverable_policies.end(),
                                   [policy](const auto& entry) { return entry.second == policy; });
  return found->first;
}

}  // namespace pgcourier::config
