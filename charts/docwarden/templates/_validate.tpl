{{/* What a schema cannot say: values that have to agree with each other. */}}
{{- define "docwarden.validate" -}}
{{- $v := .Values }}
{{- if not (or $v.upstream.url $v.simulator.enabled) }}
{{- fail "upstream.url is empty: say where documents come from (--set upstream.url=http://documents.example.svc:3000/{id}), or let the simulator stand in (--set simulator.enabled=true)" }}
{{- end }}
{{- if and $v.upstream.url $v.simulator.enabled }}
{{- fail "upstream.url and simulator.enabled exclude each other: the simulator stands in for the upstream" }}
{{- end }}
{{- if and $v.store.url $v.store.existingSecret }}
{{- fail "store.url and store.existingSecret exclude each other: say the store's address in one place" }}
{{- end }}
{{- $fullname := include "docwarden.fullname" . }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $fullname) }}
{{- fail (printf "the release's name %s makes the Service's name %s, which is no DNS label (RFC 1035): it has to begin with a letter and may have a-z, 0-9 and - only. Choose another name or set fullnameOverride" .Release.Name $fullname) }}
{{- end }}
{{- $labels := include "docwarden.labels" (list . "any") | fromYaml | keys }}
{{- $annotations := list "kubectl.kubernetes.io/default-container" "checksum/config" (ternary "checksum/store" "" (not (empty $v.store.url))) }}
{{- range list (list "podAnnotations" $v.podAnnotations $annotations) (list "podLabels" $v.podLabels $labels) (list "commonLabels" $v.commonLabels $labels) (list "serviceMonitor.labels" $v.serviceMonitor.labels $labels) (list "prometheusRule.labels" $v.prometheusRule.labels $labels) (list "dashboards.labels" $v.dashboards.labels $labels) }}
{{- $name := index . 0 }}
{{- $taken := index . 2 }}
{{- range $key, $_ := index . 1 }}
{{- if has $key $taken }}
{{- fail (printf "%s names %s, which the chart sets itself: leave it out" $name $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- $least := add $v.drain.delaySeconds $v.drain.timeoutSeconds 5 }}
{{- if lt (int $v.drain.gracePeriodSeconds) (int $least) }}
{{- fail (printf "drain.gracePeriodSeconds is %v: it has to be at least %v, that is drain.delaySeconds + drain.timeoutSeconds + 5, or the kubelet kills requests in flight" (int $v.drain.gracePeriodSeconds) $least) }}
{{- end }}
{{- range $name, $resources := dict "resources" $v.resources "simulator.resources" $v.simulator.resources "tests.resources" $v.tests.resources }}
{{- range $kind := list "cpu" "memory" "ephemeral-storage" }}
{{- $request := get $resources.requests $kind }}
{{- $limit := get $resources.limits $kind }}
{{- if and $request $limit (gt (include "docwarden.amount" $request | float64) (include "docwarden.amount" $limit | float64)) }}
{{- fail (printf "%s.requests.%s (%s) is above %s.limits.%s (%s), which Kubernetes refuses: change both" $name $kind (include "docwarden.text" $request) $name $kind (include "docwarden.text" $limit)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $v.certificateAuthority.configMap $v.certificateAuthority.secret }}
{{- fail "certificateAuthority.configMap and certificateAuthority.secret exclude each other: say in one place who is trusted" }}
{{- end }}
{{- if and $v.otlpHeaders.existingSecret (hasKey $v.env "OTEL_EXPORTER_OTLP_HEADERS") }}
{{- fail "otlpHeaders.existingSecret and env.OTEL_EXPORTER_OTLP_HEADERS exclude each other: say the headers in one place" }}
{{- end }}
{{- $volumes := list }}
{{- range $v.extraVolumes }}
{{- $volumes = append $volumes .name }}
{{- end }}
{{- range $v.extraVolumeMounts }}
{{- if not (has .name $volumes) }}
{{- fail (printf "extraVolumeMounts names the volume %s, which extraVolumes does not have: add it there" .name) }}
{{- end }}
{{- end }}
{{- if and $v.networkPolicy.enabled (not $v.networkPolicy.clients) }}
{{- range $name, $on := dict "ingress.enabled" $v.ingress.enabled "httpRoute.enabled" $v.httpRoute.enabled "service.type=LoadBalancer" (eq $v.service.type "LoadBalancer") }}
{{- if $on }}
{{- fail (printf "%s needs networkPolicy.clients: say where its requests come from, such as the namespace of the ingress controller, or the network policy lets nobody in" $name) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) }}
{{- fail (printf "autoscaling.minReplicas (%v) is above autoscaling.maxReplicas (%v)" (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) }}
{{- end }}
{{- if $v.autoscaling.enabled }}
{{- $target := $v.autoscaling.targetCPUUtilization }}
{{- $limit := get $v.resources.limits "cpu" }}
{{- $request := get $v.resources.requests "cpu" }}
{{- if not $request }}
{{- fail "autoscaling.enabled needs resources.requests.cpu: autoscaling.targetCPUUtilization is a percentage of it" }}
{{- end }}
{{- if $limit }}
{{- $most := divf (mulf (include "docwarden.amount" $limit | float64) 100) (include "docwarden.amount" $request | float64) | floor }}
{{- if gt (float64 $target) $most }}
{{- fail (printf "autoscaling.targetCPUUtilization is %v: it has to be at most %v, that is resources.limits.cpu (%s) in percent of resources.requests.cpu (%s), as no pod can use more" (int $target) (int $most) (include "docwarden.text" $limit) (include "docwarden.text" $request)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) }}
{{- fail "ingress.enabled needs ingress.hosts: without a host the Ingress would answer for every name" }}
{{- end }}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) }}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: say which Gateway it belongs to" }}
{{- end }}
{{- with $v.serviceMonitor.interval }}
{{- $milliseconds := get (dict "ms" 1 "s" 1000 "m" 60000) (regexFind "[a-z]+$" .) | mulf (regexFind "^[0-9]+" . | float64) }}
{{- if gt $milliseconds 60000.0 }}
{{- fail (printf "serviceMonitor.interval is %s: it has to be at most 1m, as the rules take rates over 2m, which are empty without two scrapes in them" .) }}
{{- end }}
{{- end }}
{{- if and $v.prometheusRule.enabled (not (.Files.Get "files/rules.yaml")) }}
{{- fail "prometheusRule.enabled: the chart was packaged without files/rules.yaml (make chart-files copies it)" }}
{{- end }}
{{- if and $v.dashboards.enabled (not (.Files.Glob "files/dashboards/*.json")) }}
{{- fail "dashboards.enabled: the chart was packaged without files/dashboards (make chart-files copies them)" }}
{{- end }}
{{- end }}
