"""Vocabulary of the invented clinic; no line describes a real person."""

FIRST = (
    "Alma", "Andres", "Bea", "Carlo", "Celia", "Diego", "Elena", "Felix", "Gina", "Hugo", "Iris", "Jaime",
    "Karla", "Leo", "Lara", "Mateo", "Mina", "Nilo", "Olga", "Pablo", "Perla", "Quino", "Rafa", "Rosa",
    "Simon", "Tala", "Tomas", "Una", "Vera", "Waldo", "Xena", "Yago", "Zita", "Amado", "Belen", "Ciro",
    "Dalia", "Emil", "Flora", "Gael",
)  # fmt: skip
LAST = (
    "Abad", "Bautista", "Cruz", "Dizon", "Escobar", "Ferrer", "Galvez", "Herrera", "Ilagan", "Javier",
    "Kintanar", "Lim", "Mercado", "Navarro", "Ocampo", "Padilla", "Quizon", "Ramos", "Salazar",
    "Tolentino", "Uy", "Velasco", "Wenceslao", "Ybanez", "Zamora", "Alcantara", "Borja", "Castro",
    "Dumlao", "Enrile",
)  # fmt: skip
STREETS = ("Acacia", "Banaba", "Dita", "Ipil", "Kamagong", "Molave", "Narra", "Talisay", "Yakal")
COURSES = ("BS Biology", "BS Nursing", "BS Civil Engineering", "AB History", "BS Accountancy", "BS Pharmacy")
DIAGNOSES = (
    "Acute upper respiratory infection",
    "Tension headache",
    "Allergic rhinitis",
    "Gastritis",
    "Ankle sprain",
    "Essential hypertension",
    "Iron deficiency anaemia",
    "Migraine without aura",
    "Contact dermatitis",
    "Healthy, routine examination",
)
TREATMENTS = ("Rest and fluids", "Paracetamol 500 mg", "Cetirizine 10 mg", "Cold compress", "Follow-up in a week")
COMPLAINTS = ("Headache since yesterday", "Sore throat", "Stomach ache", "Dizziness", "Pain after sport")
PROCEDURES = ("CLEANING", "FILLING", "EXTRACTION", "EXAMINATION", "FLUORIDE")
ILLNESSES = ("", "", "Asthma", "Dengue in childhood", "Chickenpox", "Measles")
CONDITIONS = ("", "", "", "Asthma", "Hypertension", "Scoliosis")
MEDICATIONS = ("", "", "Salbutamol inhaler", "Losartan 50 mg", "Vitamin C")
ALLERGIES = ("", "", "Penicillin", "Shellfish", "Peanuts", "Dust mites")
BLOOD = ("O+", "A+", "B+", "AB+", "O-", "A-")
COMMENTS = ("Quick and friendly.", "A long queue.", "Everything was explained well.", "Please open earlier.", "")
CAMPAIGNS = (
    ("Handwashing week", "HYGIENE"),
    ("Flu vaccination", "VACCINATION"),
    ("Dental month", "DENTAL"),
    ("Blood donation drive", "DONATION"),
    ("Mental health days", "MENTAL_HEALTH"),
    ("Healthy eating", "NUTRITION"),
    ("Stop smoking", "PREVENTION"),
    ("Dengue prevention", "PREVENTION"),
    ("First aid training", "TRAINING"),
    ("Eye check", "SCREENING"),
    ("Heart health", "SCREENING"),
    ("Stretch at your desk", "FITNESS"),
)
