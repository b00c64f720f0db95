-- Written by python -m analysis.question; rules 2026-11-23-e6cc038385
SELECT
  "t0"."row",
  COALESCE(
    (
      "t0"."dns_own" = 'nxdomain'
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
    )
    AND NOT (
      "t0"."dns_all_injected"
    ),
    FALSE
  ) AS "dns_nxdomain",
  COALESCE(
    (
      "t0"."dns_own" = 'refused'
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
    )
    AND NOT (
      "t0"."dns_all_injected"
    ),
    FALSE
  ) AS "dns_refused",
  COALESCE(
    (
      "t0"."dns_own" = 'servfail'
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
    )
    AND NOT (
      "t0"."dns_all_injected"
    )
    AND (
      NOT (
        (
          "t0"."dns_own" = 'silence'
        )
        OR (
          (
            "t0"."dns_own" = 'servfail'
          ) AND "t0"."lone_control"
        )
      )
      OR "t0"."resolver_alive"
    ),
    FALSE
  ) AS "dns_servfail",
  COALESCE(
    (
      "t0"."dns_own" = 'empty'
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
    )
    AND NOT (
      "t0"."dns_all_injected"
    ),
    FALSE
  ) AS "dns_empty",
  COALESCE(
    (
      "t0"."dns_own" = 'silence'
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
    )
    AND NOT (
      "t0"."dns_all_injected"
    )
    AND "t0"."resolver_alive",
    FALSE
  ) AS "dns_silence",
  COALESCE(
    (
      "t0"."dns_own" = 'bogon'
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
    ),
    FALSE
  ) AS "dns_bogon",
  COALESCE(
    (
      (
        "t0"."dns_own" = 'lie'
      )
      AND (
        (
          (
            "t0"."dns_controls" >= 1
          ) AND (
            "t0"."dns_witnesses" >= 2
          )
        )
        OR "t0"."dns_proof"
      )
      AND NOT (
        "t0"."dns_all_injected"
      )
    )
    OR (
      "t0"."dns_own" IN ('lie', 'unclear')
      AND NOT (
        "t0"."dns_all_injected"
      )
      AND (
        (
          "t0"."fingerprint_dns" <> ''
        ) OR (
          "t0"."fingerprint_forged" <> ''
        )
      )
    ),
    FALSE
  ) AS "dns_substituted",
  COALESCE(
    (
      (
        "t0"."dns_injected" > 0
      )
      AND (
        (
          "t0"."dns_controls" >= 1
        ) OR "t0"."dns_proof"
      )
    )
    OR (
      "t0"."dns_intercepted" > 0
    )
    OR "t0"."dns_ghost",
    FALSE
  ) AS "dns_injected",
  COALESCE(
    (
      "t0"."tcp_silence" >= 2
    )
    AND NOT (
      (
        "t0"."followed" = 'tcp'
      )
      AND (
        (
          (
            "t0"."again_passed" >= 1
          )
          AND NOT (
            (
              "t0"."elsewhere" = 'same'
            ) AND (
              "t0"."harmless_elsewhere" = 'free'
            )
          )
        )
        OR (
          (
            "t0"."again_tries" >= 3
          )
          AND (
            "t0"."again_passed" > (
              "t0"."again_same" * 2
            )
          )
        )
      )
    ),
    FALSE
  ) AS "tcp_silence",
  COALESCE(
    (
      "t0"."tcp_refused" >= 2
    )
    AND NOT (
      (
        "t0"."followed" = 'tcp'
      )
      AND (
        (
          (
            "t0"."again_passed" >= 1
          )
          AND NOT (
            (
              "t0"."elsewhere" = 'same'
            ) AND (
              "t0"."harmless_elsewhere" = 'free'
            )
          )
        )
        OR (
          (
            "t0"."again_tries" >= 3
          )
          AND (
            "t0"."again_passed" > (
              "t0"."again_same" * 2
            )
          )
        )
      )
    ),
    FALSE
  ) AS "tcp_refused",
  COALESCE(
    (
      "t0"."tcp_unreachable" >= 2
    )
    AND NOT (
      (
        "t0"."followed" = 'tcp'
      )
      AND (
        (
          (
            "t0"."again_passed" >= 1
          )
          AND NOT (
            (
              "t0"."elsewhere" = 'same'
            ) AND (
              "t0"."harmless_elsewhere" = 'free'
            )
          )
        )
        OR (
          (
            "t0"."again_tries" >= 3
          )
          AND (
            "t0"."again_passed" > (
              "t0"."again_same" * 2
            )
          )
        )
      )
    ),
    FALSE
  ) AS "tcp_unreachable",
  COALESCE(
    (
      "t0"."tcp_reset" >= 2
    )
    AND NOT (
      (
        "t0"."followed" = 'tcp'
      )
      AND (
        (
          (
            "t0"."again_passed" >= 1
          )
          AND (
            "t0"."harmless_here" IN ('mixed', 'same')
            OR "t0"."no_name" IN ('mixed', 'same')
            OR "t0"."harmless_other_port" IN ('mixed', 'same')
          )
          AND NOT (
            (
              "t0"."elsewhere" = 'same'
            ) AND (
              "t0"."harmless_elsewhere" = 'free'
            )
          )
        )
        OR (
          (
            "t0"."again_tries" >= 3
          )
          AND (
            "t0"."again_passed" > (
              "t0"."again_same" * 2
            )
          )
        )
      )
    ),
    FALSE
  ) AS "tcp_reset",
  COALESCE(
    (
      (
        "t0"."tls_silence" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'tls'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    OR (
      NOT (
        "t0"."path_end" = 'page'
      )
      AND (
        (
          "t0"."followed" = "t0"."path_end"
        )
        OR (
          (
            "t0"."followed" = 'dns'
          )
          AND NOT (
            "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
          )
        )
      )
      AND (
        (
          "t0"."elsewhere" = 'same'
        ) AND (
          "t0"."harmless_elsewhere" = 'free'
        )
      )
      AND (
        "t0"."again_same" >= 3
      )
      AND (
        "t0"."path_end" = 'tls'
      )
      AND (
        "t0"."path_how" = 'silence'
      )
    ),
    FALSE
  ) AS "tls_silence_on_name",
  COALESCE(
    (
      (
        "t0"."tls_reset" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'tls'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND (
              "t0"."harmless_here" IN ('mixed', 'same')
              OR "t0"."no_name" IN ('mixed', 'same')
              OR "t0"."harmless_other_port" IN ('mixed', 'same')
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    OR (
      NOT (
        "t0"."path_end" = 'page'
      )
      AND (
        (
          "t0"."followed" = "t0"."path_end"
        )
        OR (
          (
            "t0"."followed" = 'dns'
          )
          AND NOT (
            "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
          )
        )
      )
      AND (
        (
          "t0"."elsewhere" = 'same'
        ) AND (
          "t0"."harmless_elsewhere" = 'free'
        )
      )
      AND (
        "t0"."again_same" >= 3
      )
      AND (
        "t0"."path_end" = 'tls'
      )
      AND (
        "t0"."path_how" = 'reset'
      )
    ),
    FALSE
  ) AS "tls_reset_on_name",
  COALESCE(
    (
      (
        "t0"."tls_closed" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'tls'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND (
              "t0"."harmless_here" IN ('mixed', 'same')
              OR "t0"."no_name" IN ('mixed', 'same')
              OR "t0"."harmless_other_port" IN ('mixed', 'same')
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    OR (
      NOT (
        "t0"."path_end" = 'page'
      )
      AND (
        (
          "t0"."followed" = "t0"."path_end"
        )
        OR (
          (
            "t0"."followed" = 'dns'
          )
          AND NOT (
            "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
          )
        )
      )
      AND (
        (
          "t0"."elsewhere" = 'same'
        ) AND (
          "t0"."harmless_elsewhere" = 'free'
        )
      )
      AND (
        "t0"."again_same" >= 3
      )
      AND (
        "t0"."path_end" = 'tls'
      )
      AND (
        "t0"."path_how" = 'closed'
      )
    ),
    FALSE
  ) AS "tls_closed_on_name",
  COALESCE(
    (
      (
        "t0"."tls_alert" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'tls'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND (
              "t0"."harmless_here" IN ('mixed', 'same')
              OR "t0"."no_name" IN ('mixed', 'same')
              OR "t0"."harmless_other_port" IN ('mixed', 'same')
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    OR (
      NOT (
        "t0"."path_end" = 'page'
      )
      AND (
        (
          "t0"."followed" = "t0"."path_end"
        )
        OR (
          (
            "t0"."followed" = 'dns'
          )
          AND NOT (
            "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
          )
        )
      )
      AND (
        (
          "t0"."elsewhere" = 'same'
        ) AND (
          "t0"."harmless_elsewhere" = 'free'
        )
      )
      AND (
        "t0"."again_same" >= 3
      )
      AND (
        "t0"."path_end" = 'tls'
      )
      AND (
        "t0"."path_how" = 'alert'
      )
    ),
    FALSE
  ) AS "tls_alert_on_name",
  COALESCE((
    "t0"."tls_forged" >= 2
  ) OR (
    "t0"."fingerprint_certificate" <> ''
  ), FALSE) AS "tls_forged",
  COALESCE(
    (
      "t0"."quic_silence" >= 2
    )
    AND NOT (
      (
        "t0"."followed" = 'quic'
      )
      AND (
        (
          (
            "t0"."again_passed" >= 1
          )
          AND NOT (
            (
              "t0"."elsewhere" = 'same'
            ) AND (
              "t0"."harmless_elsewhere" = 'free'
            )
          )
        )
        OR (
          (
            "t0"."again_tries" >= 3
          )
          AND (
            "t0"."again_passed" > (
              "t0"."again_same" * 2
            )
          )
        )
      )
    ),
    FALSE
  ) AS "quic_silence",
  COALESCE(
    (
      (
        "t0"."quic_closed" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'quic'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND (
              "t0"."harmless_here" IN ('mixed', 'same')
              OR "t0"."no_name" IN ('mixed', 'same')
              OR "t0"."harmless_other_port" IN ('mixed', 'same')
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    OR (
      (
        "t0"."quic_refused" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'quic'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    ),
    FALSE
  ) AS "quic_closed",
  COALESCE(
    (
      (
        "t0"."http_silence" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'http'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    OR (
      NOT (
        "t0"."path_end" = 'page'
      )
      AND (
        (
          "t0"."followed" = "t0"."path_end"
        )
        OR (
          (
            "t0"."followed" = 'dns'
          )
          AND NOT (
            "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
          )
        )
      )
      AND (
        (
          "t0"."elsewhere" = 'same'
        ) AND (
          "t0"."harmless_elsewhere" = 'free'
        )
      )
      AND (
        "t0"."again_same" >= 3
      )
      AND (
        "t0"."path_end" = 'http'
      )
      AND (
        "t0"."path_how" = 'silence'
      )
    ),
    FALSE
  ) AS "http_silence",
  COALESCE(
    (
      (
        "t0"."http_reset" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'http'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND (
              "t0"."harmless_here" IN ('mixed', 'same')
              OR "t0"."no_name" IN ('mixed', 'same')
              OR "t0"."harmless_other_port" IN ('mixed', 'same')
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    OR (
      NOT (
        "t0"."path_end" = 'page'
      )
      AND (
        (
          "t0"."followed" = "t0"."path_end"
        )
        OR (
          (
            "t0"."followed" = 'dns'
          )
          AND NOT (
            "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
          )
        )
      )
      AND (
        (
          "t0"."elsewhere" = 'same'
        ) AND (
          "t0"."harmless_elsewhere" = 'free'
        )
      )
      AND (
        "t0"."again_same" >= 3
      )
      AND (
        "t0"."path_end" = 'http'
      )
      AND (
        "t0"."path_how" = 'reset'
      )
    ),
    FALSE
  ) AS "http_reset",
  COALESCE(
    (
      (
        "t0"."http_closed" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'http'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND (
              "t0"."harmless_here" IN ('mixed', 'same')
              OR "t0"."no_name" IN ('mixed', 'same')
              OR "t0"."harmless_other_port" IN ('mixed', 'same')
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    OR (
      NOT (
        "t0"."path_end" = 'page'
      )
      AND (
        (
          "t0"."followed" = "t0"."path_end"
        )
        OR (
          (
            "t0"."followed" = 'dns'
          )
          AND NOT (
            "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
          )
        )
      )
      AND (
        (
          "t0"."elsewhere" = 'same'
        ) AND (
          "t0"."harmless_elsewhere" = 'free'
        )
      )
      AND (
        "t0"."again_same" >= 3
      )
      AND (
        "t0"."path_end" = 'http'
      )
      AND (
        "t0"."path_how" = 'closed'
      )
    ),
    FALSE
  ) AS "http_closed",
  COALESCE(
    (
      "t0"."fingerprint_redirect" <> ''
    )
    OR (
      "t0"."http_redirect" >= 2
    )
    OR (
      (
        "t0"."http_redirect" >= 1
      ) AND "t0"."http_redirect_twin"
    ),
    FALSE
  ) AS "http_redirect",
  COALESCE(
    (
      (
        "t0"."fingerprint_page" <> ''
      ) AND (
        "t0"."fingerprint_redirect" = ''
      )
    )
    OR (
      "t0"."http_blockpage" >= 2
    )
    OR (
      (
        "t0"."http_blockpage" >= 1
      ) AND "t0"."http_blockpage_twin"
    ),
    FALSE
  ) AS "http_blockpage",
  COALESCE("t0"."http_altered", FALSE) AS "http_altered",
  COALESCE(
    (
      (
        "t0"."speed_name_p" <= 0.01
      )
      AND (
        "t0"."speed_name_ratio" >= 2
      )
      AND (
        "t0"."speed_seconds" >= 0.5
      )
      AND (
        (
          "t0"."speed_controls" >= 2
        ) AND NOT (
          "t0"."server_slow"
        )
      )
    )
    OR (
      (
        "t0"."speed_p" <= 0.01
      )
      AND (
        "t0"."speed_excess" >= 0.8
      )
      AND (
        (
          "t0"."speed_controls" >= 2
        ) AND NOT (
          "t0"."server_slow"
        )
      )
      AND NOT (
        "t0"."line_slow"
      )
      AND (
        (
          "t0"."speed_rtt_excess" >= 0.25
        )
        OR (
          "t0"."speed_excess" >= (
            "t0"."speed_rtt_excess" * 10
          )
        )
      )
    ),
    FALSE
  ) AS "throttled",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'tcp.silence'), FALSE) AS "lone_tcp_silence",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'tcp.refused'), FALSE) AS "lone_tcp_refused",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'tcp.unreachable'), FALSE) AS "lone_tcp_unreachable",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'tcp.reset'), FALSE) AS "lone_tcp_reset",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'tls.silence'), FALSE) AS "lone_tls_silence",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'tls.reset'), FALSE) AS "lone_tls_reset",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'tls.closed'), FALSE) AS "lone_tls_closed",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'tls.alert'), FALSE) AS "lone_tls_alert",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'http.silence'), FALSE) AS "lone_http_silence",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'http.reset'), FALSE) AS "lone_http_reset",
  COALESCE(CONTAINS("t0"."lone_contrasts", 'http.closed'), FALSE) AS "lone_http_closed",
  COALESCE(
    "t0"."lone_page"
    AND (
      "t0"."path_end" = 'dns'
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    )
    AND NOT (
      "t0"."resolver_filters"
    )
    AND (
      (
        "t0"."dns_controls" >= 1
      ) OR (
        "t0"."path_depth" >= 1
      )
    )
    AND (
      "t0"."dns_own" = 'nxdomain'
    ),
    FALSE
  ) AS "lone_dns_nxdomain",
  COALESCE(
    "t0"."lone_page"
    AND (
      "t0"."path_end" = 'dns'
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    )
    AND NOT (
      "t0"."resolver_filters"
    )
    AND (
      (
        "t0"."dns_controls" >= 1
      ) OR (
        "t0"."path_depth" >= 1
      )
    )
    AND (
      "t0"."dns_own" = 'refused'
    ),
    FALSE
  ) AS "lone_dns_refused",
  COALESCE(
    "t0"."lone_page"
    AND (
      "t0"."path_end" = 'dns'
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    )
    AND NOT (
      "t0"."resolver_filters"
    )
    AND (
      (
        "t0"."dns_controls" >= 1
      ) OR (
        "t0"."path_depth" >= 1
      )
    )
    AND (
      "t0"."dns_own" = 'empty'
    ),
    FALSE
  ) AS "lone_dns_empty",
  COALESCE(
    "t0"."lone_page"
    AND (
      "t0"."path_end" = 'dns'
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    )
    AND NOT (
      "t0"."resolver_filters"
    )
    AND (
      (
        "t0"."dns_controls" >= 1
      ) OR (
        "t0"."path_depth" >= 1
      )
    )
    AND (
      "t0"."dns_own" = 'bogon'
    ),
    FALSE
  ) AS "lone_dns_bogon",
  COALESCE("t0"."dns_diverted" > 0, FALSE) AS "dns_diverted",
  COALESCE("t0"."dns_ghost_public", FALSE) AS "dns_ghost_public",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND NOT (
      "t0"."path_certified"
    )
    AND (
      "t0"."http_blockpage" >= 1
    )
    AND "t0"."page_bare",
    FALSE
  ) AS "http_blockpage_bare",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('dns')
    AND "t0"."service_how" IN ('nxdomain'),
    FALSE
  ) AS "service_dns_nxdomain",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('dns')
    AND "t0"."service_how" IN ('refused'),
    FALSE
  ) AS "service_dns_refused",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('dns')
    AND "t0"."service_how" IN ('servfail'),
    FALSE
  ) AS "service_dns_servfail",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('dns')
    AND "t0"."service_how" IN ('empty'),
    FALSE
  ) AS "service_dns_empty",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('dns')
    AND "t0"."service_how" IN ('silence'),
    FALSE
  ) AS "service_dns_silence",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('dns')
    AND "t0"."service_how" IN ('bogon'),
    FALSE
  ) AS "service_dns_bogon",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('dns')
    AND "t0"."service_how" IN ('substituted'),
    FALSE
  ) AS "service_dns_substituted",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('tcp')
    AND "t0"."service_how" IN ('silence'),
    FALSE
  ) AS "service_tcp_silence",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('tcp')
    AND "t0"."service_how" IN ('refused'),
    FALSE
  ) AS "service_tcp_refused",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('tcp')
    AND "t0"."service_how" IN ('reset'),
    FALSE
  ) AS "service_tcp_reset",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('tcp')
    AND "t0"."service_how" IN ('unreachable'),
    FALSE
  ) AS "service_tcp_unreachable",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('tls', 'link', 'answer')
    AND "t0"."service_how" IN ('silence'),
    FALSE
  ) AS "service_tls_silence",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('tls', 'link', 'answer')
    AND "t0"."service_how" IN ('reset'),
    FALSE
  ) AS "service_tls_reset",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('tls', 'link', 'answer')
    AND "t0"."service_how" IN ('closed'),
    FALSE
  ) AS "service_tls_closed",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('tls', 'link', 'answer')
    AND "t0"."service_how" IN ('alert'),
    FALSE
  ) AS "service_tls_alert",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('quic')
    AND "t0"."service_how" IN ('silence'),
    FALSE
  ) AS "service_quic_silence",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('quic')
    AND "t0"."service_how" IN ('closed'),
    FALSE
  ) AS "service_quic_closed",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('certificate')
    AND "t0"."service_how" IN ('forged'),
    FALSE
  ) AS "service_tls_forged",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_controls" >= 1
    )
    AND (
      "t0"."service_controls_working" = "t0"."service_controls"
    )
    AND (
      "t0"."service_end" = 'certificate'
    )
    AND (
      "t0"."service_how" = 'bad'
    ),
    FALSE
  ) AS "service_tls_somebody_else",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('http')
    AND "t0"."service_how" IN ('silence'),
    FALSE
  ) AS "service_http_silence",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('http')
    AND "t0"."service_how" IN ('reset'),
    FALSE
  ) AS "service_http_reset",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('http')
    AND "t0"."service_how" IN ('closed'),
    FALSE
  ) AS "service_http_closed",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('http')
    AND "t0"."service_how" IN ('redirect'),
    FALSE
  ) AS "service_http_redirect",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND "t0"."service_end" IN ('http')
    AND "t0"."service_how" IN ('blockpage'),
    FALSE
  ) AS "service_http_blockpage",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      (
        "t0"."service" <> ''
      )
      AND "t0"."measured"
      AND NOT (
        "t0"."service_whole"
      )
      AND NOT (
        "t0"."service_end" = 'works'
      )
      AND (
        "t0"."service_controls" >= 1
      )
      AND (
        "t0"."service_controls_working" = 0
      )
    )
    AND (
      "t0"."service_end" = 'echo'
    )
    AND (
      "t0"."service_how" = 'altered'
    ),
    FALSE
  ) AS "echo_altered",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service" = 'unjudged'
    ),
    FALSE
  ) AS "nettest_unjudged",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND (
      "t0"."service_end" = 'works'
    ),
    FALSE
  ) AS "service_works",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service_end" = 'certificate'
    )
    AND (
      "t0"."service_how" = 'outdated'
    ),
    FALSE
  ) AS "service_instrument_fault",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND "t0"."captive_portal"
    AND NOT (
      "t0"."service_end" = 'works'
    ),
    FALSE
  ) AS "service_behind_portal",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."home_lost" OR (
        "t0"."domestic_lost" AND "t0"."foreign_lost"
      )
    )
    AND NOT (
      "t0"."service_end" = 'works'
    ),
    FALSE
  ) AS "service_line_lost",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND "t0"."foreign_lost"
    AND NOT (
      "t0"."service_end" = 'works'
    ),
    FALSE
  ) AS "service_outer_ring_lost",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND "t0"."resolver_dead"
    AND (
      "t0"."service_end" = 'dns'
    )
    AND (
      "t0"."service_how" <> 'bogon'
    ),
    FALSE
  ) AS "service_resolver_dead",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service_end" = 'certificate'
    )
    AND (
      "t0"."service_how" = 'replaced'
    ),
    FALSE
  ) AS "service_certificate_replaced",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      (
        "t0"."service" <> ''
      )
      AND "t0"."measured"
      AND NOT (
        "t0"."service_whole"
      )
      AND NOT (
        "t0"."service_end" = 'works'
      )
      AND (
        "t0"."service_controls" >= 1
      )
      AND (
        "t0"."service_controls_working" = 0
      )
    )
    AND (
      "t0"."service_end" = 'echo'
    )
    AND (
      "t0"."service_how" = 'altered'
    ),
    FALSE
  ) AS "echo_rewritten",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service_end" = 'echo'
    )
    AND (
      "t0"."service_how" = 'other'
    ),
    FALSE
  ) AS "echo_of_somebody_else",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service_end" = 'echo'
    )
    AND NOT (
      "t0"."service_how" IN ('altered', 'other')
    ),
    FALSE
  ) AS "echo_unanswered",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_controls" >= 1
    )
    AND (
      "t0"."service_controls_working" = 0
    ),
    FALSE
  ) AS "service_down",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_controls" >= 1
    )
    AND (
      "t0"."service_controls_working" >= 1
    )
    AND (
      "t0"."service_controls_working" < "t0"."service_controls"
    ),
    FALSE
  ) AS "service_controls_disagree",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_controls" >= 1
    )
    AND (
      "t0"."service_controls_working" = "t0"."service_controls"
    )
    AND (
      "t0"."service_controls" >= 2
    )
    AND (
      "t0"."service_tries" >= 2
    )
    AND (
      "t0"."service_end" = 'certificate'
    ),
    FALSE
  ) AS "service_somebody_else",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_controls" >= 1
    )
    AND (
      "t0"."service_controls_working" = "t0"."service_controls"
    )
    AND (
      "t0"."service_tries" >= 2
    )
    AND (
      "t0"."service_end" = 'answer'
    )
    AND (
      "t0"."service_how" = 'untrue'
    ),
    FALSE
  ) AS "resolver_answers_otherwise",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_controls" >= 1
    )
    AND (
      "t0"."service_controls_working" = "t0"."service_controls"
    )
    AND (
      "t0"."service_controls" >= 2
    )
    AND (
      "t0"."service_tries" >= 2
    )
    AND "t0"."service_how" IN ('reset', 'closed', 'alert'),
    FALSE
  ) AS "service_ended_here",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_controls" >= 1
    )
    AND (
      "t0"."service_controls_working" = "t0"."service_controls"
    )
    AND (
      "t0"."service_controls" >= 2
    )
    AND (
      "t0"."service_tries" >= 2
    )
    AND "t0"."service_end" IN ('dns', 'tcp', 'tls', 'link', 'http', 'quic', 'answer'),
    FALSE
  ) AS "service_silent_here",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_controls" >= 1
    )
    AND (
      "t0"."service_controls_working" = "t0"."service_controls"
    ),
    FALSE
  ) AS "service_fails_once",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND "t0"."service_lost"
      )
    )
    AND (
      (
        "t0"."service_proof" <> ''
      ) AND NOT (
        "t0"."service_end" = 'works'
      )
    ),
    FALSE
  ) AS "service_proven",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND "t0"."service_lost"
      )
    )
    AND (
      (
        "t0"."service_working" = 0
      )
      AND (
        "t0"."service_endpoints" >= 1
      )
      AND NOT (
        "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
      )
      AND "t0"."service_how" IN ('reset', 'closed', 'alert')
      AND (
        "t0"."service_alike" >= (
          "t0"."service_endpoints" * 0.8
        )
      )
      AND (
        "t0"."service_alive" >= 1
      )
      AND (
        "t0"."service_endpoints" >= 3
      )
      AND (
        "t0"."service_networks" >= 2
      )
    )
    AND NOT (
      "t0"."service_end" = 'works'
    ),
    FALSE
  ) AS "service_cut_off",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND "t0"."service_lost"
      )
    )
    AND (
      (
        "t0"."service_working" = 0
      )
      AND (
        "t0"."service_endpoints" >= 1
      )
      AND NOT (
        "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
      )
      AND (
        "t0"."service_alike" >= (
          "t0"."service_endpoints" * 0.8
        )
      )
      AND (
        "t0"."service_alive" >= 1
      )
      AND "t0"."service_independent"
      AND (
        "t0"."service_endpoints" >= 5
      )
      AND (
        "t0"."service_networks" >= 5
      )
      AND (
        "t0"."service_end" <> 'dns'
      )
    )
    AND NOT (
      "t0"."service_end" = 'works'
    ),
    FALSE
  ) AS "relays_all_gone",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND "t0"."service_whole"
    AND NOT (
      "t0"."service_lost"
    ),
    FALSE
  ) AS "service_reached",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service_end" = 'bootstrap'
    )
    AND (
      "t0"."service_how" = 'absent'
    ),
    FALSE
  ) AS "bootstrap_absent",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service_end" = 'bootstrap'
    )
    AND (
      "t0"."service_how" = 'clock_skew'
    ),
    FALSE
  ) AS "bootstrap_clock",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service_end" = 'bootstrap'
    )
    AND (
      "t0"."service_part" <> 'snowflake'
    ),
    FALSE
  ) AS "bootstrap_stuck",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND (
      "t0"."service_end" = 'bootstrap'
    )
    AND (
      "t0"."service_part" = 'snowflake'
    ),
    FALSE
  ) AS "snowflake_stuck",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND "t0"."service_lost"
      )
    )
    AND (
      "t0"."service_end" = 'certificate'
    )
    AND "t0"."service_how" IN ('bad', 'own'),
    FALSE
  ) AS "service_certificate_doubtful",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND "t0"."service_lost"
      )
    )
    AND (
      (
        "t0"."service_working" = 0
      )
      AND (
        "t0"."service_endpoints" >= 1
      )
      AND NOT (
        "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
      )
    )
    AND (
      "t0"."service_alive" >= 1
    ),
    FALSE
  ) AS "service_lost_here",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND "t0"."service_lost"
      )
    )
    AND (
      (
        "t0"."service_working" = 0
      )
      AND (
        "t0"."service_endpoints" >= 1
      )
      AND NOT (
        "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
      )
    )
    AND NOT (
      "t0"."service_alive" >= 1
    ),
    FALSE
  ) AS "service_lost_with_line",
  COALESCE(
    (
      "t0"."service" <> ''
    )
    AND "t0"."measured"
    AND NOT (
      "t0"."service_whole"
    )
    AND NOT (
      "t0"."service_end" = 'works'
    )
    AND (
      "t0"."service_working" >= 1
    ),
    FALSE
  ) AS "service_endpoint_fails",
  COALESCE(
    NOT (
      "t0"."measured"
    )
    AND "t0"."run_ended" IN ('captive_portal', 'no_network', 'wrong_clock', 'vpn'),
    FALSE
  ) AS "planned_without_network",
  COALESCE(NOT (
    "t0"."measured"
  ), FALSE) AS "planned_only",
  COALESCE(
    (
      (
        (
          "t0"."speed_name_p" <= 0.01
        )
        AND (
          "t0"."speed_name_ratio" >= 2
        )
        AND (
          "t0"."speed_seconds" >= 0.5
        )
        AND (
          (
            "t0"."speed_controls" >= 2
          ) AND NOT (
            "t0"."server_slow"
          )
        )
      )
      OR (
        (
          "t0"."speed_p" <= 0.01
        )
        AND (
          "t0"."speed_excess" >= 0.8
        )
        AND (
          (
            "t0"."speed_controls" >= 2
          ) AND NOT (
            "t0"."server_slow"
          )
        )
        AND NOT (
          "t0"."line_slow"
        )
        AND (
          (
            "t0"."speed_rtt_excess" >= 0.25
          )
          OR (
            "t0"."speed_excess" >= (
              "t0"."speed_rtt_excess" * 10
            )
          )
        )
      )
    )
    AND (
      "t0"."path_end" = 'page'
    )
    AND "t0"."speed_cut",
    FALSE
  ) AS "throttled_away",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND "t0"."path_certified"
    AND (
      "t0"."path_status" < 400
    )
    AND (
      "t0"."fingerprint_platform" = ''
    ),
    FALSE
  ) AS "page_over_certificate",
  COALESCE(
    "t0"."captive_portal"
    AND NOT (
      (
        "t0"."path_end" = 'page'
      )
      AND (
        "t0"."page_match" IN ('same', 'similar')
        OR "t0"."page_twin" IN ('same', 'similar')
      )
    ),
    FALSE
  ) AS "captive_portal",
  COALESCE(
    (
      "t0"."home_lost" OR (
        "t0"."domestic_lost" AND "t0"."foreign_lost"
      )
    )
    AND NOT (
      (
        "t0"."path_end" = 'page'
      )
      AND (
        "t0"."page_match" IN ('same', 'similar')
        OR "t0"."page_twin" IN ('same', 'similar')
      )
    ),
    FALSE
  ) AS "line_lost",
  COALESCE(
    "t0"."resolver_dead" AND NOT (
      "t0"."dns_own" IN ('true', 'lie', 'bogon')
    ),
    FALSE
  ) AS "own_resolver_dead",
  COALESCE(
    "t0"."foreign_lost"
    AND NOT (
      (
        "t0"."path_end" = 'page'
      )
      AND (
        "t0"."page_match" IN ('same', 'similar')
        OR "t0"."page_twin" IN ('same', 'similar')
      )
    ),
    FALSE
  ) AS "outer_ring_lost",
  COALESCE((
    "t0"."path_end" = 'page'
  ) AND (
    "t0"."fingerprint_platform" <> ''
  ), FALSE) AS "platform_challenge",
  COALESCE("t0"."fingerprint_path" <> '', FALSE) AS "fingerprint_on_path",
  COALESCE(
    (
      "t0"."path_end" = 'certificate'
    )
    AND (
      "t0"."path_how" = 'replaced'
    )
    AND (
      (
        "t0"."path_signer" = 'program'
      ) OR "t0"."forger_near"
    ),
    FALSE
  ) AS "certificate_of_a_program",
  COALESCE(
    (
      "t0"."path_end" = 'certificate'
    ) AND (
      "t0"."path_how" = 'replaced'
    ),
    FALSE
  ) AS "certificate_replaced",
  COALESCE("t0"."dns_ghost", FALSE) AS "ghost_answer",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND "t0"."path_certified"
    AND (
      "t0"."path_status" >= 400
    )
    AND (
      "t0"."page_status_good" >= 1
    )
    AND (
      "t0"."page_status_shared" = 0
    ),
    FALSE
  ) AS "server_refuses_us",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND (
      "t0"."path_status" >= 500
    )
    AND (
      "t0"."page_status_shared" >= 1
    )
    AND (
      "t0"."page_status_good" = 0
    ),
    FALSE
  ) AS "server_broken",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND "t0"."path_certified"
    AND (
      "t0"."path_status" >= 400
    ),
    FALSE
  ) AS "error_page_over_certificate",
  COALESCE((
    "t0"."path_end" = 'page'
  ) AND "t0"."page_replaced", FALSE) AS "page_replaced",
  COALESCE((
    "t0"."path_end" = 'page'
  ) AND "t0"."page_match" IN ('same', 'similar'), FALSE) AS "same_page",
  COALESCE((
    "t0"."path_end" = 'page'
  ) AND "t0"."page_twin" IN ('same', 'similar'), FALSE) AS "same_page_as_twin",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND "t0"."page_origin"
    AND (
      "t0"."path_status" < 400
    )
    AND "t0"."dns_own" IN ('true', 'none', 'unclear', 'other'),
    FALSE
  ) AS "controls_refused",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND NOT (
      "t0"."path_certified"
    )
    AND "t0"."path_genuine"
    AND (
      "t0"."path_status" < 400
    )
    AND (
      "t0"."controls" >= 1
    )
    AND (
      "t0"."page_compared" = 0
    )
    AND "t0"."page_own"
    AND "t0"."dns_own" IN ('true', 'none', 'unclear', 'other'),
    FALSE
  ) AS "controls_shut_out",
  COALESCE(
    NOT (
      "t0"."path_end" = 'page'
    )
    AND (
      (
        "t0"."followed" = "t0"."path_end"
      )
      OR (
        (
          "t0"."followed" = 'dns'
        )
        AND NOT (
          "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
        )
      )
    )
    AND (
      "t0"."again_tries" >= 3
    )
    AND (
      "t0"."again_passed" > (
        "t0"."again_same" * 2
      )
    ),
    FALSE
  ) AS "not_repeated",
  COALESCE(
    NOT (
      "t0"."path_end" = 'page'
    )
    AND (
      (
        "t0"."followed" = "t0"."path_end"
      )
      OR (
        (
          "t0"."followed" = 'dns'
        )
        AND NOT (
          "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
        )
      )
    )
    AND (
      (
        "t0"."path_how" IN ('silence', 'refused', 'unreachable', 'servfail')
        AND (
          (
            "t0"."again_passed" >= 1
          )
          AND NOT (
            (
              "t0"."elsewhere" = 'same'
            ) AND (
              "t0"."harmless_elsewhere" = 'free'
            )
          )
        )
      )
      OR (
        "t0"."path_how" IN ('reset', 'closed', 'alert')
        AND (
          (
            "t0"."again_passed" >= 1
          )
          AND (
            "t0"."harmless_here" IN ('mixed', 'same')
            OR "t0"."no_name" IN ('mixed', 'same')
            OR "t0"."harmless_other_port" IN ('mixed', 'same')
          )
          AND NOT (
            (
              "t0"."elsewhere" = 'same'
            ) AND (
              "t0"."harmless_elsewhere" = 'free'
            )
          )
        )
      )
    ),
    FALSE
  ) AS "fails_at_times",
  COALESCE(
    "t0"."forger"
    AND NOT (
      (
        "t0"."path_shared" >= 1
      ) AND (
        "t0"."path_elsewhere" = 0
      )
    ),
    FALSE
  ) AS "forger_between",
  COALESCE(
    (
      "t0"."hop_high" = 1
    )
    AND "t0"."home_router"
    AND (
      (
        "t0"."followed" <> 'dns'
      ) OR (
        "t0"."bare_dns" = 'same'
      )
    ),
    FALSE
  ) AS "interference_at_home",
  COALESCE(
    NOT (
      "t0"."path_end" = 'page'
    )
    AND (
      (
        "t0"."followed" = "t0"."path_end"
      )
      OR (
        (
          "t0"."followed" = 'dns'
        )
        AND NOT (
          "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
        )
      )
    )
    AND (
      (
        "t0"."elsewhere" = 'same'
      ) AND (
        "t0"."harmless_elsewhere" = 'free'
      )
    )
    AND (
      "t0"."again_same" >= 3
    ),
    FALSE
  ) AS "name_refused_anywhere",
  COALESCE(
    NOT (
      "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
    )
    AND (
      NOT (
        (
          "t0"."dns_own" = 'silence'
        )
        OR (
          (
            "t0"."dns_own" = 'servfail'
          ) AND "t0"."lone_control"
        )
      )
      OR "t0"."resolver_alive"
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
      OR (
        (
          "t0"."dns_injected" > 0
        )
        AND (
          (
            "t0"."dns_controls" >= 1
          ) OR "t0"."dns_proof"
        )
      )
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    )
    AND (
      (
        "t0"."dns_injected" = 0
      )
      AND (
        "t0"."dns_intercepted" = 0
      )
      AND NOT (
        "t0"."dns_ghost"
      )
    )
    AND "t0"."dns_at_home" IN ('lie', 'bogon', 'nxdomain', 'refused', 'servfail', 'empty', 'silence')
    AND (
      "t0"."dns_in_network" = 'true'
    ),
    FALSE
  ) AS "lie_at_home",
  COALESCE(
    NOT (
      "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
    )
    AND (
      NOT (
        (
          "t0"."dns_own" = 'silence'
        )
        OR (
          (
            "t0"."dns_own" = 'servfail'
          ) AND "t0"."lone_control"
        )
      )
      OR "t0"."resolver_alive"
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
      OR (
        (
          "t0"."dns_injected" > 0
        )
        AND (
          (
            "t0"."dns_controls" >= 1
          ) OR "t0"."dns_proof"
        )
      )
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    )
    AND (
      (
        "t0"."dns_injected" = 0
      )
      AND (
        "t0"."dns_intercepted" = 0
      )
      AND NOT (
        "t0"."dns_ghost"
      )
    )
    AND "t0"."resolver_foreign",
    FALSE
  ) AS "lie_of_chosen_resolver",
  COALESCE(
    NOT (
      "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
    )
    AND (
      NOT (
        (
          "t0"."dns_own" = 'silence'
        )
        OR (
          (
            "t0"."dns_own" = 'servfail'
          ) AND "t0"."lone_control"
        )
      )
      OR "t0"."resolver_alive"
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
      OR (
        (
          "t0"."dns_injected" > 0
        )
        AND (
          (
            "t0"."dns_controls" >= 1
          ) OR "t0"."dns_proof"
        )
      )
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    )
    AND (
      (
        "t0"."dns_injected" = 0
      )
      AND (
        "t0"."dns_intercepted" = 0
      )
      AND NOT (
        "t0"."dns_ghost"
      )
    )
    AND "t0"."dns_at_home" IN ('lie', 'bogon', 'nxdomain', 'refused', 'servfail', 'empty', 'silence')
    AND NOT (
      "t0"."dns_in_network" IN ('lie', 'bogon', 'nxdomain', 'refused', 'servfail', 'empty', 'silence')
    ),
    FALSE
  ) AS "lie_behind_home",
  COALESCE(
    "t0"."lone_control"
    AND (
      NOT (
        "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
      )
      AND (
        NOT (
          (
            "t0"."dns_own" = 'silence'
          )
          OR (
            (
              "t0"."dns_own" = 'servfail'
            ) AND "t0"."lone_control"
          )
        )
        OR "t0"."resolver_alive"
      )
      AND (
        (
          (
            "t0"."dns_controls" >= 1
          ) AND (
            "t0"."dns_witnesses" >= 2
          )
        )
        OR "t0"."dns_proof"
        OR (
          (
            "t0"."dns_injected" > 0
          )
          AND (
            (
              "t0"."dns_controls" >= 1
            ) OR "t0"."dns_proof"
          )
        )
      )
      AND NOT (
        "t0"."dns_exists_nowhere"
      )
    )
    AND (
      (
        "t0"."dns_injected" = 0
      )
      AND (
        "t0"."dns_intercepted" = 0
      )
      AND NOT (
        "t0"."dns_ghost"
      )
    )
    AND "t0"."resolver_filters",
    FALSE
  ) AS "lie_of_filtering_resolver",
  COALESCE(
    NOT (
      "t0"."dns_own" IN ('true', 'none', 'unclear', 'other')
    )
    AND (
      NOT (
        (
          "t0"."dns_own" = 'silence'
        )
        OR (
          (
            "t0"."dns_own" = 'servfail'
          ) AND "t0"."lone_control"
        )
      )
      OR "t0"."resolver_alive"
    )
    AND (
      (
        (
          "t0"."dns_controls" >= 1
        ) AND (
          "t0"."dns_witnesses" >= 2
        )
      )
      OR "t0"."dns_proof"
      OR (
        (
          "t0"."dns_injected" > 0
        )
        AND (
          (
            "t0"."dns_controls" >= 1
          ) OR "t0"."dns_proof"
        )
      )
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    ),
    FALSE
  ) AS "lying_answer",
  COALESCE(
    (
      (
        "t0"."redirect_unseen" >= 2
      )
      OR (
        (
          "t0"."redirect_unseen" >= 1
        ) AND "t0"."page_twin_backs"
      )
    )
    AND NOT (
      "t0"."page_richer"
    ),
    FALSE
  ) AS "redirect_unseen",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND NOT (
      "t0"."path_certified"
    )
    AND (
      "t0"."page_match" = 'differs'
    )
    AND (
      (
        "t0"."http_blockpage" >= 2
      )
      OR (
        (
          "t0"."http_blockpage" >= 1
        ) AND "t0"."http_blockpage_twin"
      )
    ),
    FALSE
  ) AS "page_of_somebody_else",
  COALESCE(
    (
      "t0"."path_end" = 'tls'
    )
    AND "t0"."hello_unlike"
    AND NOT (
      (
        "t0"."elsewhere" = 'same'
      ) AND (
        "t0"."harmless_elsewhere" = 'free'
      )
    )
    AND (
      "t0"."harmless_here" <> 'free'
    ),
    FALSE
  ) AS "hello_disliked",
  COALESCE(
    (
      "t0"."path_end" = 'certificate'
    )
    AND (
      "t0"."path_how" = 'forged'
    )
    AND (
      "t0"."path_contradicted" >= 2
    ),
    FALSE
  ) AS "certificate_forged",
  COALESCE(
    "t0"."path_end" IN ('tcp', 'tls', 'http')
    AND "t0"."path_how" IN ('reset', 'closed', 'alert')
    AND (
      "t0"."path_contradicted" >= 2
    ),
    FALSE
  ) AS "cut_off_here",
  COALESCE(
    "t0"."path_end" IN ('tcp', 'tls', 'http')
    AND "t0"."path_how" IN ('silence', 'refused', 'unreachable')
    AND (
      "t0"."path_contradicted" >= 2
    ),
    FALSE
  ) AS "silent_here",
  COALESCE("t0"."redirect_private", FALSE) AS "redirect_into_private",
  COALESCE("t0"."lone_control" AND "t0"."path_cut", FALSE) AS "page_cut_short",
  COALESCE("t0"."dns_ghost_public", FALSE) AS "ghost_answer_in_the_clear",
  COALESCE(
    (
      "t0"."path_end" = 'page'
    )
    AND NOT (
      "t0"."path_certified"
    )
    AND (
      "t0"."http_blockpage" >= 1
    )
    AND "t0"."page_bare",
    FALSE
  ) AS "page_without_head",
  COALESCE("t0"."lone_contradicts" AND "t0"."path_how" IN ('reset', 'closed', 'alert'), FALSE) AS "cut_off_here_alone",
  COALESCE(
    "t0"."lone_contradicts"
    AND "t0"."path_how" IN ('silence', 'refused', 'unreachable'),
    FALSE
  ) AS "silent_here_alone",
  COALESCE(
    "t0"."lone_page"
    AND (
      "t0"."path_end" = 'dns'
    )
    AND NOT (
      "t0"."dns_exists_nowhere"
    )
    AND NOT (
      "t0"."resolver_filters"
    )
    AND (
      (
        "t0"."dns_controls" >= 1
      ) OR (
        "t0"."path_depth" >= 1
      )
    )
    AND "t0"."dns_own" IN ('nxdomain', 'refused', 'empty', 'bogon'),
    FALSE
  ) AS "denied_here_alone",
  COALESCE(
    (
      "t0"."path_end" = 'certificate'
    ) AND (
      "t0"."path_how" = 'outdated'
    ),
    FALSE
  ) AS "trust_store_outdated",
  COALESCE(
    (
      "t0"."path_end" = 'redirect'
    )
    AND (
      "t0"."path_how" = 'broken'
    )
    AND (
      "t0"."path_elsewhere" >= 1
    ),
    FALSE
  ) AS "redirect_broken_for_us",
  COALESCE(
    (
      "t0"."path_end" = 'redirect'
    )
    AND "t0"."path_how" IN ('loop', 'many', 'broken')
    AND (
      "t0"."path_shared" >= 1
    )
    AND (
      "t0"."path_elsewhere" = 0
    ),
    FALSE
  ) AS "redirect_endless",
  COALESCE("t0"."dns_exists_nowhere" AND (
    "t0"."dns_injected" = 0
  ), FALSE) AS "name_exists_nowhere",
  COALESCE(
    "t0"."path_end" IN ('dns', 'tcp', 'tls', 'certificate', 'http')
    AND (
      "t0"."path_shared" >= 1
    )
    AND (
      "t0"."path_elsewhere" = 0
    ),
    FALSE
  ) AS "fails_everywhere",
  COALESCE(
    (
      (
        "t0"."path_shared" >= 1
      ) AND (
        "t0"."path_elsewhere" >= 1
      )
    )
    OR NOT (
      "t0"."page_controls_agree"
    ),
    FALSE
  ) AS "controls_disagree",
  COALESCE(
    (
      "t0"."controls" = 1
    )
    AND (
      (
        "t0"."path_elsewhere" + "t0"."page_differing" + "t0"."redirect_unseen"
      ) >= 1
    ),
    FALSE
  ) AS "one_control_only",
  COALESCE((
    "t0"."controls" = 0
  ) AND (
    "t0"."service" = ''
  ), FALSE) AS "no_control",
  COALESCE("t0"."measured", FALSE) AS "too_little_evidence",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND (
      "t0"."service_same_port" = 'free'
    )
    AND "t0"."service_end" IN ('tls', 'link'),
    FALSE
  ) AS "trigger_protocol_of_service",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND (
      "t0"."service_other_port" = 'free'
    ),
    FALSE
  ) AS "trigger_port_of_service",
  COALESCE(
    (
      (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND NOT (
          "t0"."service_whole"
        )
        AND NOT (
          "t0"."service_end" = 'works'
        )
      )
      OR (
        (
          "t0"."service" <> ''
        )
        AND "t0"."measured"
        AND "t0"."service_whole"
        AND (
          "t0"."service_lost"
          OR (
            (
              (
                "t0"."service_proof" <> ''
              ) AND NOT (
                "t0"."service_end" = 'works'
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND "t0"."service_how" IN ('reset', 'closed', 'alert')
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND (
                "t0"."service_endpoints" >= 3
              )
              AND (
                "t0"."service_networks" >= 2
              )
            )
            OR (
              (
                "t0"."service_working" = 0
              )
              AND (
                "t0"."service_endpoints" >= 1
              )
              AND NOT (
                "t0"."service_end" IN ('bootstrap', 'echo', 'certificate')
              )
              AND (
                "t0"."service_alike" >= (
                  "t0"."service_endpoints" * 0.8
                )
              )
              AND (
                "t0"."service_alive" >= 1
              )
              AND "t0"."service_independent"
              AND (
                "t0"."service_endpoints" >= 5
              )
              AND (
                "t0"."service_networks" >= 5
              )
              AND (
                "t0"."service_end" <> 'dns'
              )
            )
          )
        )
      )
    )
    AND (
      "t0"."service_other_port" = 'same'
    )
    AND (
      "t0"."service_end" = 'tcp'
    ),
    FALSE
  ) AS "trigger_address_of_service",
  COALESCE(
    (
      (
        "t0"."followed" = 'quic'
      )
      OR (
        (
          "t0"."followed" = ''
        ) AND (
          "t0"."path_end" = 'page'
        )
      )
    )
    AND (
      (
        "t0"."quic_silence" >= 2
      )
      AND NOT (
        (
          "t0"."followed" = 'quic'
        )
        AND (
          (
            (
              "t0"."again_passed" >= 1
            )
            AND NOT (
              (
                "t0"."elsewhere" = 'same'
              ) AND (
                "t0"."harmless_elsewhere" = 'free'
              )
            )
          )
          OR (
            (
              "t0"."again_tries" >= 3
            )
            AND (
              "t0"."again_passed" > (
                "t0"."again_same" * 2
              )
            )
          )
        )
      )
    )
    AND (
      "t0"."quic_elsewhere" = 'lost'
    )
    AND (
      "t0"."harmless_here" <> 'free'
    ),
    FALSE
  ) AS "trigger_quic_itself",
  COALESCE(
    (
      "t0"."harmless_elsewhere" = 'same'
    )
    AND (
      "t0"."harmless_here" = 'same'
    )
    AND (
      "t0"."followed" <> 'quic'
    ),
    FALSE
  ) AS "trigger_any_name_elsewhere",
  COALESCE((
    "t0"."harmless_here" = 'same'
  ) AND (
    "t0"."other_hello" = 'free'
  ), FALSE) AS "trigger_hello",
  COALESCE(
    (
      "t0"."followed" = 'dns'
    )
    AND (
      (
        "t0"."harmless_here" = 'free'
      ) OR (
        "t0"."bare_dns" = 'same'
      )
    ),
    FALSE
  ) AS "trigger_query_name",
  COALESCE(
    (
      "t0"."elsewhere" = 'same'
    ) AND (
      "t0"."harmless_elsewhere" = 'free'
    ),
    FALSE
  ) AS "trigger_name_anywhere",
  COALESCE((
    "t0"."harmless_here" = 'free'
  ) AND (
    "t0"."again_same" >= 2
  ), FALSE) AS "trigger_name_here",
  COALESCE((
    "t0"."followed" = 'tcp'
  ) AND "t0"."other_port" IN ('free', 'mixed'), FALSE) AS "trigger_port",
  COALESCE((
    "t0"."followed" = 'tcp'
  ) AND (
    "t0"."other_port" = 'same'
  ), FALSE) AS "trigger_address",
  COALESCE(
    (
      "t0"."harmless_here" = 'same'
    ) AND (
      "t0"."harmless_other_port" = 'free'
    ),
    FALSE
  ) AS "trigger_port_of_address",
  COALESCE((
    "t0"."harmless_here" = 'same'
  ) AND (
    "t0"."elsewhere" = 'free'
  ), FALSE) AS "trigger_address_whatever_said",
  COALESCE(
    (
      "t0"."speed_name_p" <= 0.01
    )
    AND (
      "t0"."speed_name_ratio" >= 2
    )
    AND (
      "t0"."speed_seconds" >= 0.5
    )
    AND (
      (
        "t0"."speed_controls" >= 2
      ) AND NOT (
        "t0"."server_slow"
      )
    ),
    FALSE
  ) AS "trigger_slow_name",
  COALESCE(
    (
      "t0"."speed_p" <= 0.01
    )
    AND (
      "t0"."speed_excess" >= 0.8
    )
    AND (
      (
        "t0"."speed_controls" >= 2
      ) AND NOT (
        "t0"."server_slow"
      )
    )
    AND NOT (
      "t0"."line_slow"
    )
    AND (
      (
        "t0"."speed_rtt_excess" >= 0.25
      )
      OR (
        "t0"."speed_excess" >= (
          "t0"."speed_rtt_excess" * 10
        )
      )
    )
    AND (
      "t0"."speed_unnamed" = 'slow'
    ),
    FALSE
  ) AS "trigger_slow_address"
FROM "observations" AS "t0"
